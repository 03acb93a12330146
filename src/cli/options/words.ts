// The words of a command line that stand for themselves, told from the flags around them and checked.
import { UsageError } from "../../base/errors.ts";
import { quote } from "../../base/printable.ts";
import type { OptionTable } from "./option.ts";
import { type Environment, type Parsed, parseOptions } from "./parse.ts";
import { didYouMean } from "./suggest.ts";

/** One word a command takes, or several in a row. */
export interface WordSlot {
  /** In capitals, as in `revoke ID`. */
  readonly name: string;
  /** One sentence. */
  readonly help: string;
  readonly isNeeded: boolean;
  /** Only the last one may be many. */
  readonly isMany: boolean;
  /** The words it may be; anything when not given. */
  readonly choices?: readonly string[];
  /** What shells complete it to where there are no choices; nothing when not given. */
  readonly completes?: "path";
}

/** What may follow `--`. */
export interface PassedWords {
  readonly name: string;
  readonly help: string;
}

/** What of a command says how its line is read. */
interface LineShape<T extends OptionTable> {
  readonly options: T;
  readonly words?: readonly WordSlot[];
  readonly passed?: PassedWords;
}

export interface ParsedLine<T extends OptionTable> extends Parsed<T> {
  /** In the order of the slots. */
  readonly words: readonly string[];
  /** What followed `--`, as it was. */
  readonly passed: readonly string[];
}

/** @throws UsageError naming what is wrong, where it stands and what is allowed. */
export function parseCommandLine<T extends OptionTable>(
  command: string,
  shape: LineShape<T>,
  args: readonly string[],
  env: Environment,
): ParsedLine<T> {
  const { words, flags, passed } = splitWords(shape.options, args);
  const parsed = parseOptions(command, shape.options, flags, env);
  if (passed !== null && shape.passed === undefined) throw new UsageError(`unexpected argument "--". ${seeHelp(command)}`);
  checkWords(command, shape.words ?? [], words);
  return { ...parsed, words, passed: passed ?? [] };
}

interface SplitWords {
  readonly words: readonly string[];
  /** In their order, with their values; whether they are right is for parseOptions to say. */
  readonly flags: readonly string[];
  /** Null: there was no `--`. */
  readonly passed: readonly string[] | null;
}

/**
 * 1. the end of what is read here
 * 2. a flag with its value in the same word, or one that nobody knows
 * 3. a switch; only true or false behind it is its value
 * 4. a flag with its value in the next word
 * 5. a word
 */
export function splitWords(table: OptionTable, args: readonly string[]): SplitWords {
  const words: string[] = [];
  const flags: string[] = [];
  const shapes = new Map(Object.values(table).map((option) => [`--${option.flag}`, option.kind.shape]));
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    if (arg === "--") return { words, flags, passed: args.slice(at + 1) }; // (1)
    const next = args[at + 1];
    const shape = shapes.get(arg);
    const hasValue = next !== undefined && (shape === "switch" ? /^(true|false)$/i.test(next) : shape !== undefined);
    if (!arg.startsWith("-")) words.push(arg); // (5)
    else flags.push(arg); // (2)
    if (!hasValue) continue;
    flags.push(next); // (3) (4)
    at++;
  }
  return { words, flags, passed: null };
}

/**
 * 1. a needed word is missing
 * 2. there are more words than places
 * 3. a word is none of those its place takes
 */
function checkWords(command: string, slots: readonly WordSlot[], words: readonly string[]): void {
  const missing = slots.find((slot, index) => slot.isNeeded && words[index] === undefined);
  if (missing !== undefined) throw new UsageError(`${command} needs ${missing.name}: ${missing.help} ${seeHelp(command)}`); // (1)
  for (const [index, word] of words.entries()) {
    const last = slots.at(-1);
    const slot = slots[index] ?? (last?.isMany === true ? last : undefined);
    if (slot === undefined) throw new UsageError(`unexpected argument ${quote(word)}. ${seeHelp(command)}`); // (2)
    if (slot.choices === undefined || slot.choices.includes(word)) continue;
    const advice = didYouMean(word, slot.choices);
    throw new UsageError(`${slot.name}: ${quote(word)} is not one of ${slot.choices.join(", ")}${advice}`); // (3)
  }
}

function seeHelp(command: string): string {
  return `'modelrelay ${command} --help' says more`;
}
