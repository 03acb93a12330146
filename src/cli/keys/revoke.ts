// `modelrelay keys revoke`: ends keys for good. All of them are looked up before the first is ended.
import type * as v from "valibot";
import type { Key } from "../../admin/key-schema.ts";
import { CommandError } from "../../base/errors.ts";
import { nearestNames } from "../../base/nearest.ts";
import type { CommandBody } from "../command.ts";
import { createKeysClient } from "./client.ts";
import { SHORT_ID_CHARS } from "./table.ts";
import { REVOKE_OPTIONS } from "./options.ts";
import { parseCommandLine } from "../options/words.ts";
import { printable, quote } from "../../base/printable.ts";

type KeyBody = v.InferOutput<typeof Key>;

const LINE = {
  options: REVOKE_OPTIONS,
  words: [{ name: "ID", help: "The keys to revoke: their ids as 'keys list' shows them, or their names.", isNeeded: true, isMany: true }],
};

export const revokeKeys: CommandBody = {
  ...LINE,
  async run(args, world) {
    const parsed = parseCommandLine("keys revoke", LINE, args, world.env);
    const client = createKeysClient(parsed, world);
    const known = await client.list();
    const chosen = new Set(parsed.words.map((word) => find(word, known)));
    const done: { readonly id: string; readonly name: string }[] = [];
    try {
      for (const { id, name } of chosen) {
        if (!(await client.revoke(id))) throw new CommandError(`the key ${quote(name)} (id ${printable(id)}) is not there any more`);
        done.push({ id, name });
        if (!parsed.values.json) world.print(`revoked ${printable(id)} ${quote(name)}\n`);
      }
    } finally {
      // What is revoked cannot be taken back, so it is told also when the next one fails.
      if (parsed.values.json) world.print(`${JSON.stringify({ revoked: done }, null, 2)}\n`);
    }
    return 0;
  },
};

/**
 * 1. a whole id
 * 2. the name of one key that is not revoked
 * 3. the beginning of one id, as the table shows it
 * @throws CommandError when it is none of these, or may mean several keys
 */
function find(word: string, known: readonly KeyBody[]): KeyBody {
  const byId = known.find(({ id }) => id === word);
  if (byId !== undefined) return byId; // (1)
  const named = known.filter(({ name, revoked }) => name === word && !revoked);
  const begun = word.length < SHORT_ID_CHARS ? [] : known.filter(({ id }) => id.startsWith(word.toLowerCase()));
  const found = named.length > 0 ? named : begun; // (2) (3)
  if (found.length === 1) return found[0]!;
  if (found.length > 1) {
    throw new CommandError(`${quote(word)} may mean several keys; give the id: ${found.map(({ id }) => printable(id)).join(", ")}`);
  }
  throw new CommandError(`there is no key ${quote(word)}${explainAbsence(word, known)} 'modelrelay keys list' shows which there are`);
}

function explainAbsence(word: string, known: readonly KeyBody[]): string {
  if (known.some(({ name }) => name === word)) return " that is not revoked already.";
  const names = known.filter(({ revoked }) => !revoked).map(({ name }) => name);
  const [nearest] = nearestNames(word, names, 1);
  return nearest === undefined ? "." : `; did you mean ${quote(nearest)}?`;
}
