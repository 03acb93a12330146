// Creating, listing and revoking API keys.
import type * as v from "valibot";
import type { Clock } from "../base/clock.ts";
import { RelayError } from "../base/errors.ts";
import { StoreUnavailable } from "../store/key-store.ts";
import type { AdminKeys } from "./admin-keys.ts";
import { invalidField, readJsonBody } from "./json-body.ts";
import { FIELD_SCOPES, NewKey, toKey, toTerms } from "./key-schema.ts";
import { type AdminContext, answer } from "./refusal.ts";

export interface KeysWorld {
  /** Null: this relay keeps no keys. */
  readonly keys: AdminKeys | null;
  readonly clock: Clock;
}

export async function listKeys(c: AdminContext, world: KeysWorld): Promise<Response> {
  const keys = await keysOf(world).list();
  return answer(c, 200, { keys: keys.map(toKey) });
}

/** The answer holds the secret, and nothing else ever does. */
export async function createKey(c: AdminContext, world: KeysWorld): Promise<Response> {
  const store = keysOf(world);
  const body = await readJsonBody(c.req.raw, NewKey, world.clock);
  if (body.expires_at !== null && body.expires_at * 1000 <= world.clock.unixMs()) throw invalidField(NewKey, "expires_at");
  refuseIdleFields(body);
  const { key, secret } = await store.create(toTerms(body));
  return answer(c, 201, { ...toKey(key), secret });
}

export async function revokeKey(c: AdminContext, world: KeysWorld, id: string): Promise<Response> {
  const isKnown = await keysOf(world).revoke(id).catch(explainUnstored);
  if (!isKnown) throw new RelayError("not_found", "There is no key with this id.");
  return answer(c, 204, null);
}

function keysOf({ keys }: KeysWorld): AdminKeys {
  if (keys === null) throw new RelayError("store_unavailable", "This relay was started without one.");
  return keys;
}

/** A limit that would limit nothing is a mistake to tell, not one to store. */
function refuseIdleFields(body: v.InferOutput<typeof NewKey>): void {
  for (const [field, useful] of FIELD_SCOPES) {
    if (body[field] === null || useful.some((scope) => body.scopes.includes(scope))) continue;
    throw new RelayError("invalid_request", `Field '${field}' needs the scope ${useful.join(" or ")}.`);
  }
}

/** A revocation holds in memory at once; what failed is making it last. */
function explainUnstored(error: unknown): never {
  if (!(error instanceof StoreUnavailable)) throw error;
  throw new RelayError("store_unavailable", `${error.reason} A key of this id does not work here any more; storing that is tried again.`);
}
