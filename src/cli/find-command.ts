// Finds the command a line of words means, and every command there is.
import { UsageError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";
import { type Command, type CommandBody, type CommandGroup, isGroup } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { didYouMean, didYouMeanCommand, explainShortFlag } from "./options/suggest.ts";

/** A command with the words that lead to it. */
export interface FoundCommand {
  /** As in `keys list`. */
  readonly path: string;
  readonly summary: string;
  readonly body: CommandBody;
}

export interface FoundGroup {
  /** Empty for the program itself. */
  readonly path: string;
  readonly summary: string;
  readonly group: CommandGroup;
}

export type Found =
  | { readonly kind: "command"; readonly command: FoundCommand; readonly args: readonly string[] }
  /** The line ended before it named a command, or asked for help there. */
  | { readonly kind: "group"; readonly group: FoundGroup; readonly isHelpAsked: boolean };

/** @throws UsageError naming the nearest command when a word means none */
export async function findCommand(args: readonly string[], commands: readonly Command[] = COMMANDS): Promise<Found> {
  if (args[0] === "help" && args.length > 1) return await findCommand([...args.slice(1), "--help"], commands);
  let group: FoundGroup = { path: "", summary: "", group: { commands } };
  for (const [at, word] of args.entries()) {
    if (isHelpWord(word)) return { kind: "group", group, isHelpAsked: true };
    const command = group.group.commands.find(({ name }) => name === word);
    if (command === undefined) throw new UsageError(explainUnknown(word, group));
    const path = group.path === "" ? command.name : `${group.path} ${command.name}`;
    const loaded = await command.load();
    const { summary } = command;
    if (!isGroup(loaded)) return { kind: "command", command: { path, summary, body: loaded }, args: args.slice(at + 1) };
    group = { path, summary, group: loaded };
  }
  return { kind: "group", group, isHelpAsked: false };
}

/** Every command that does something, in the order of the tables; loads them all. */
export async function everyCommand(commands: readonly Command[] = COMMANDS, before = ""): Promise<readonly FoundCommand[]> {
  const found = await Promise.all(
    commands.map(async ({ name, summary, load }) => {
      const path = `${before}${name}`;
      const loaded = await load();
      return isGroup(loaded) ? await everyCommand(loaded.commands, `${path} `) : [{ path, summary, body: loaded }];
    }),
  );
  return found.flat();
}

export function isHelpFlag(word: string): boolean {
  return word === "--help" || word === "-h";
}

function isHelpWord(word: string): boolean {
  return isHelpFlag(word) || word === "help";
}

function explainUnknown(word: string, { path, group }: FoundGroup): string {
  const names = group.commands.map(({ name }) => name);
  const before = path === "" ? "" : `${path} `;
  const list = `${path === "" ? "The commands" : `The commands of ${path}`} are ${names.join(", ")}`;
  if (word.startsWith("-") && path !== "") return `${path} needs a command before its flags. ${list}`;
  if (/^--?[a-z]/i.test(word)) {
    const advice = /^-[a-z]$/i.test(word)
      ? explainShortFlag(word.slice(1), ["help", "version"])
      : didYouMean(word, ["--help", "--version"]);
    return `unknown flag ${printable(word)}${advice} A command comes before its flags. ${list}`;
  }
  return `unknown command ${before}${printable(word)}${didYouMeanCommand(word, names, before)} ${list}`;
}
