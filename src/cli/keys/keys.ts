// `modelrelay keys`: API keys of a running relay.
import type { CommandGroup } from "../command.ts";
import { createKey } from "./create.ts";
import { listKeys } from "./list.ts";
import { revokeKeys } from "./revoke.ts";

export const keys: CommandGroup = {
  commands: [
    { name: "create", summary: "makes a key and prints its secret, this once", load: async () => createKey },
    { name: "list", summary: "shows which keys there are", load: async () => listKeys },
    { name: "revoke", summary: "ends keys for good", load: async () => revokeKeys },
  ],
};
