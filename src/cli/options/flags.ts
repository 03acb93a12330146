// Reads a command's flags. Nothing is guessed and nothing is dropped: a word without a meaning is refused.
import { UsageError } from "../../base/errors.ts";
import type { AnyOption, GivenText, OptionTable } from "./option.ts";
import { printable, quote } from "../../base/printable.ts";
import { didYouMeanFlag, didYouMeanValue, explainShortFlag } from "./suggest.ts";

/**
 * The text given for each option, by its key in the table. A list given several times is joined with commas.
 * @throws UsageError for unknown flags, stray words, missing values and repeated single values.
 */
export function readFlags(command: string, table: OptionTable, args: readonly string[]): Map<string, GivenText> {
  const reader = new FlagReader(command, table);
  for (let at = 0; at < args.length;) at += reader.read(args[at]!, args[at + 1]);
  return reader.given;
}

class FlagReader {
  readonly given = new Map<string, GivenText>();
  readonly #command: string;
  readonly #byFlag: ReadonlyMap<string, { readonly key: string; readonly option: AnyOption }>;

  constructor(command: string, table: OptionTable) {
    this.#command = command;
    this.#byFlag = new Map(Object.entries(table).map(([key, option]) => [option.flag, { key, option }]));
  }

  /** Takes one word, and the next one when it is its value. Returns how many were taken. */
  read(word: string, next: string | undefined): number {
    if (!word.startsWith("-") || word === "-" || word === "--") this.#refuseStray(word);
    const equals = word.indexOf("=");
    const written = equals === -1 ? word : word.slice(0, equals);
    const inline = equals === -1 ? undefined : word.slice(equals + 1);
    const name = written.replace(/^--/, "");
    const known = this.#byFlag.get(name);
    if (known === undefined || !written.startsWith("--")) return this.#readNegated(written, inline);
    return known.option.kind.shape === "switch" ? this.#readSwitch(name, inline, next) : this.#readValue(name, inline, next);
  }

  #readValue(name: string, inline: string | undefined, next: string | undefined): number {
    if (inline !== undefined && inline !== "") return this.#take(name, inline, 1);
    const { option } = this.#byFlag.get(name)!;
    const needs = `--${name} needs a value: ${option.kind.expects}`;
    if (inline === "" || next === undefined || next === "") throw new UsageError(needs);
    if (next.startsWith("-") && next !== "-") {
      throw new UsageError(`${needs}; a value that begins with a dash is written --${name}=VALUE`);
    }
    return this.#take(name, next, 2);
  }

  #readSwitch(name: string, inline: string | undefined, next: string | undefined): number {
    if (inline !== undefined) return this.#take(name, inline, 1);
    if (next === undefined || next.startsWith("-")) return this.#take(name, "true", 1);
    return this.#take(name, next, 2);
  }

  #readNegated(written: string, inline: string | undefined): number {
    const name = written.replace(/^--no-/, "");
    const known = written.startsWith("--no-") ? this.#byFlag.get(name) : undefined;
    if (known === undefined) return this.#refuseUnknown(written);
    if (known.option.kind.shape !== "switch") throw new UsageError(`${written}: --${name} takes a value and cannot be negated`);
    if (inline !== undefined) throw new UsageError(`${written} takes no value; write --${name}=${printable(inline)} instead`);
    return this.#take(name, "false", 1);
  }

  #take(name: string, text: string, words: number): number {
    const { key, option } = this.#byFlag.get(name)!;
    const before = this.given.get(key);
    if (before !== undefined && option.kind.shape !== "many") throw new UsageError(`--${name} is given twice`);
    this.given.set(key, { text: before === undefined ? text : `${before.text},${text}`, origin: { kind: "flag", name } });
    return words;
  }

  #refuseUnknown(written: string): never {
    const name = written.replace(/^-+/, "");
    const known = [...this.#byFlag.keys()];
    const advice = /^-[A-Za-z]$/.test(written) ? explainShortFlag(name, known) : didYouMeanFlag(name, known);
    throw new UsageError(`unknown flag ${printable(written)}${advice} 'modelrelay ${this.#command} --help' lists all flags`);
  }

  #refuseStray(word: string): never {
    const advice = didYouMeanValue(word, [...this.#byFlag.keys()]);
    throw new UsageError(`unexpected argument ${quote(word)}${advice} 'modelrelay ${this.#command} --help' lists all flags`);
  }
}
