// `modelrelay keys list`: which keys there are, in a table or as JSON.
import { outputWidth } from "../columns.ts";
import type { CommandBody } from "../command.ts";
import { createKeysClient } from "./client.ts";
import { renderKeys } from "./table.ts";
import { LIST_OPTIONS } from "./options.ts";
import { parseOptions } from "../options/parse.ts";

export const listKeys: CommandBody = {
  options: LIST_OPTIONS,
  async run(args, world) {
    const parsed = parseOptions("keys list", LIST_OPTIONS, args, world.env);
    const { json, all } = parsed.values;
    const keys = await createKeysClient(parsed, world).list();
    const shown = all ? keys : keys.filter((key) => !key.revoked);
    if (json) {
      world.print(`${JSON.stringify({ keys: shown }, null, 2)}\n`);
      return 0;
    }
    if (shown.length > 0) world.print(`${renderKeys(shown, keys, world.clock.unixMs(), outputWidth()).join("\n")}\n`);
    else world.tell("No key is in use; 'modelrelay keys create --name NAME' makes one.\n");
    const hidden = keys.length - shown.length;
    if (hidden > 0) world.tell(`${hidden} revoked ${hidden === 1 ? "key is" : "keys are"} not shown; --all shows them.\n`);
    return 0;
  },
};
