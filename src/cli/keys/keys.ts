// `modelrelay keys`: API keys of a running relay, by way of its admin API.
import { UsageError } from "../../base/errors.ts";
import type { CommandBody } from "../commands.ts";
import { KeysProblem, type KeysWorld } from "./client.ts";
import { createKey } from "./create.ts";
import { listKeys } from "./list.ts";
import { revokeKeys } from "./revoke.ts";
import { KEYS_OPTIONS } from "./options.ts";
import { printable } from "../../base/printable.ts";
import { didYouMean } from "../options/suggest.ts";
import { writeNow } from "../write-now.ts";

type Verb = (args: readonly string[], world: KeysWorld) => Promise<void>;

const VERBS: ReadonlyMap<string, Verb> = new Map([
  ["create", createKey],
  ["list", listKeys],
  ["revoke", revokeKeys],
]);

export const keys: CommandBody = {
  options: KEYS_OPTIONS,
  async run([word, ...args], world) {
    const verb = VERBS.get(word ?? "");
    if (verb === undefined) throw new UsageError(explain(word));
    const tell = (text: string): void => writeNow(STANDARD_ERROR, text);
    try {
      await verb(args, { ...world, tell });
      return 0;
    } catch (error) {
      if (!(error instanceof KeysProblem)) throw error;
      tell(`modelrelay: ${error.message}\n`);
      return 1;
    }
  },
};

const STANDARD_ERROR = 2;

function explain(word: string | undefined): string {
  const usage = "'keys create --name NAME', 'keys list' and 'keys revoke ID' are what there is; 'modelrelay keys --help' lists all flags";
  if (word === undefined || word.startsWith("-")) return `keys needs a word that says what to do: ${usage}`;
  return `unknown command keys ${printable(word)}${didYouMean(word, [...VERBS.keys()], "keys ")} ${usage}`;
}
