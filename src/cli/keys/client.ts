// The keys of a running relay, by way of its admin API.
import type * as v from "valibot";
import { CreatedKey, KeyList, type NewKey } from "../../admin/key-schema.ts";
import type { CommandWorld } from "../command.ts";
import type { Parsed } from "../options/parse.ts";
import { adminDoor, askRelay, problemOf, readAnswer, requireToken } from "../relay/client.ts";
import type { REVOKE_OPTIONS } from "./options.ts";

export interface KeysClient {
  create(key: v.InferInput<typeof NewKey>): Promise<v.InferOutput<typeof CreatedKey>>;
  list(): Promise<v.InferOutput<typeof KeyList>["keys"]>;
  /** False: there is no such key. */
  revoke(id: string): Promise<boolean>;
}

/** @throws UsageError when there is no token to ask with */
export function createKeysClient(parsed: Parsed<typeof REVOKE_OPTIONS>, world: CommandWorld): KeysClient {
  const door = requireToken(adminDoor(parsed, world));
  return {
    create: async (key) => await readAnswer(door, await askRelay(door, "POST", "/admin/keys", key), 201, CreatedKey),
    list: async () => (await readAnswer(door, await askRelay(door, "GET", "/admin/keys"), 200, KeyList)).keys,
    async revoke(id) {
      const response = await askRelay(door, "DELETE", `/admin/keys/${encodeURIComponent(id)}`);
      if (response.status !== 204 && response.status !== 404) throw await problemOf(door, response);
      return response.status === 204;
    },
  };
}
