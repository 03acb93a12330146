// The settings of this home in config.toml: flat TOML, one line a key, readable by its owner alone since a secret may be in it.
import { CommandError } from "../base/errors.ts";
import { readIfThere, writeAtomically } from "./atomic-file.ts";
import type { Home } from "./home.ts";
import { lockBriefly } from "./lock.ts";
import { reasonOf } from "./reason.ts";

export type SettingValue = string | number | readonly string[];
export type Settings = ReadonlyMap<string, SettingValue>;

/** By file key, as in proxy_url. @throws CommandError when it is no flat TOML */
export function readSettings(home: Home): Settings {
  const text = readIfThere(home.settings);
  if (text === null) return new Map();
  let table: object;
  try {
    table = Bun.TOML.parse(text);
  } catch (error) {
    throw new CommandError(`${home.settings} is not TOML: ${reasonOf(error)}`);
  }
  return new Map(Object.entries(table).map(([key, value]) => [key, checkValue(home, key, value)]));
}

/** Reads, changes and writes, while nobody else does. Comments are not kept. */
export function changeSettings(home: Home, change: (settings: Map<string, SettingValue>) => void): void {
  using _ = lockBriefly(home, "config.toml");
  const settings = new Map(readSettings(home));
  change(settings);
  const lines = [...settings].map(([key, value]) => `${key} = ${toToml(value)}\n`);
  writeAtomically(home.settings, `# Settings of modelrelay llamafile; 'modelrelay llamafile config' writes this file.\n${lines.join("")}`);
}

/** TOML writes texts, numbers and lists as JSON does, but for one sign that it wants escaped. */
function toToml(value: SettingValue): string {
  return JSON.stringify(value).replaceAll("\u007f", String.raw`\u007f`);
}

function checkValue(home: Home, key: string, value: unknown): SettingValue {
  if (typeof value === "string" || typeof value === "number") return value;
  if (typeof value === "boolean") return String(value);
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw new CommandError(`${key} in ${home.settings} is neither a text nor a number nor a list of texts`);
}
