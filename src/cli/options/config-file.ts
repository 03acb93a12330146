// Reads the config file: flat TOML whose keys are the flags in snake_case.
import { readFileSync } from "node:fs";
import { UsageError } from "../../base/errors.ts";
import { fileTrouble } from "../../base/file-trouble.ts";
import { fileKey, type AnyOption, type GivenText, type OptionTable } from "./option.ts";
import { printable } from "../../base/printable.ts";
import { didYouMean } from "./suggest.ts";

/**
 * The text given for each option, by its key in the table.
 * @throws UsageError when the file cannot be read, is not TOML, or holds a key or a type that is not one of the command's.
 */
export function readConfigFile(command: string, table: OptionTable, path: string): Map<string, GivenText> {
  const byFileKey = new Map(Object.entries(table).map(([key, option]) => [fileKey(option), { key, option }]));
  // A config file that names another would make the order of precedence a riddle.
  byFileKey.delete("config");
  const given = new Map<string, GivenText>();
  for (const [name, value] of Object.entries(parseToml(readText(path), path))) {
    const known = byFileKey.get(name);
    if (known === undefined) {
      const advice = didYouMean(name, [...byFileKey.keys()]);
      throw new UsageError(`unknown key ${printable(name)} in ${path}${advice} 'modelrelay ${command} --help' lists all flags`);
    }
    // A list of nothing says what leaving the key out says.
    if (known.option.kind.shape === "many" && Array.isArray(value) && value.length === 0) continue;
    given.set(known.key, { text: toText(known.option, name, value, path), origin: { kind: "file", path, name } });
  }
  return given;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`the config file ${path} cannot be read (${fileTrouble(error)})`);
  }
}

function parseToml(text: string, path: string): object {
  try {
    return Bun.TOML.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^TOML Parse error: /, "") : "unreadable";
    throw new UsageError(`the config file ${path} is not TOML: line ${faultyLine(text)}: ${printable(reason)}`);
  }
}

/** The parser does not say where it failed: the fault begins after the longest run of first lines that is well-formed. */
function faultyLine(text: string): number {
  const lines = text.split("\n");
  for (let count = lines.length - 1; count > 0; count--) {
    if (isToml(lines.slice(0, count).join("\n"))) return count + 1;
  }
  return 1;
}

function isToml(text: string): boolean {
  try {
    Bun.TOML.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The value as it would be written on the command line, so that one parser judges all sources. */
function toText(option: AnyOption, name: string, value: unknown, path: string): string {
  const isMany = option.kind.shape === "many";
  if (option.kind.shape === "switch" ? typeof value === "boolean" : isWord(value)) return String(value);
  if (isMany && Array.isArray(value) && value.every(isWord)) return value.join(",");
  const wanted = isMany ? "a list of texts" : option.kind.expects;
  throw new UsageError(`${name} in ${path}: ${describeType(value)} is not ${wanted}`);
}

function isWord(value: unknown): value is string | number {
  return typeof value === "string" || typeof value === "number";
}

function describeType(value: unknown): string {
  if (typeof value === "string") return "a text";
  if (typeof value === "number") return "a number";
  if (typeof value === "boolean") return "a boolean";
  return Array.isArray(value) ? "a list" : "a table or date";
}
