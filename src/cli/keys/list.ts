// `modelrelay keys list`: which keys there are, in a table or as JSON.
import { createKeysClient, type KeysWorld } from "./client.ts";
import { renderKeys } from "./table.ts";
import { LIST_OPTIONS } from "./options.ts";
import { parseOptions } from "../options/parse.ts";

export async function listKeys(args: readonly string[], world: KeysWorld): Promise<void> {
  const parsed = parseOptions("keys list", LIST_OPTIONS, args, world.env);
  const { json, all } = parsed.values;
  const keys = await createKeysClient(parsed, world).list();
  const shown = all ? keys : keys.filter((key) => !key.revoked);
  if (json) return world.print(`${JSON.stringify({ keys: shown }, null, 2)}\n`);
  if (shown.length > 0) world.print(`${renderKeys(shown, keys, world.clock.unixMs()).join("\n")}\n`);
  else world.tell("No key is in use; 'modelrelay keys create --name NAME' makes one.\n");
  const hidden = keys.length - shown.length;
  if (hidden > 0) world.tell(`${hidden} revoked ${hidden === 1 ? "key is" : "keys are"} not shown; --all shows them.\n`);
}
