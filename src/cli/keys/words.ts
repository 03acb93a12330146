// Tells the words of a command line that stand for themselves from the flags around them.
import type { OptionTable } from "../options/option.ts";

export interface SplitWords {
  readonly words: readonly string[];
  /** In their order, with their values; whether they are right is for parseOptions to say. */
  readonly flags: readonly string[];
}

/**
 * 1. a flag with its value in the same word, or one that nobody knows
 * 2. a switch; only true or false behind it is its value
 * 3. a flag with its value in the next word
 * 4. a word
 */
export function splitWords(table: OptionTable, args: readonly string[]): SplitWords {
  const words: string[] = [];
  const flags: string[] = [];
  const shapes = new Map(Object.values(table).map((option) => [`--${option.flag}`, option.kind.shape]));
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    const next = args[at + 1];
    const shape = shapes.get(arg);
    const hasValue = next !== undefined && (shape === "switch" ? /^(true|false)$/i.test(next) : shape !== undefined);
    if (!arg.startsWith("-")) words.push(arg); // (4)
    else flags.push(arg); // (1)
    if (!hasValue) continue;
    flags.push(next); // (2) (3)
    at++;
  }
  return { words, flags };
}
