// Reads a llamafile command's line, with the settings of config.toml between the variables and the defaults.
import { resolve } from "node:path";
import { CommandError, UsageError } from "../../base/errors.ts";
import { quote } from "../../base/printable.ts";
import { defaultHome, type Home, homeAt } from "../../llamafile/home.ts";
import { readSettings, type Settings, type SettingValue } from "../../llamafile/settings-file.ts";
import { fileKey, type OptionTable, type OptionValues, type Origin } from "../options/option.ts";
import type { Environment } from "../options/parse.ts";
import { didYouMean } from "../options/suggest.ts";
import { parseCommandLine, type ParsedLine, type PassedWords, type WordSlot } from "../options/words.ts";
import { placeBelow } from "../user-home.ts";
import { type HOME_OPTIONS } from "./option-groups.ts";
import { SETTINGS } from "./options.ts";
import { KEEPER_VARIABLE } from "./running/environments.ts";

interface Shape<T extends OptionTable> {
  readonly options: T;
  readonly words?: readonly WordSlot[];
  readonly passed?: PassedWords;
}

export interface LlamafileLine<T extends OptionTable> extends ParsedLine<T> {
  readonly home: Home;
  /** Of config.toml, for every llamafile there is. */
  readonly defaultArgs: readonly string[];
}

/** @throws UsageError for a wrong line, CommandError for a wrong config.toml */
export function readLine<T extends OptionTable & typeof HOME_OPTIONS>(
  command: string,
  shape: Shape<T>,
  args: readonly string[],
  env: Environment,
): LlamafileLine<T> {
  const parsed = parseCommandLine(`llamafile ${command}`, shape, args, env);
  const home = homeOf(parsed.values, env);
  const settings = (env[KEEPER_VARIABLE] ?? "") === "" ? readSettings(home) : new Map<string, SettingValue>();
  refuseUnknown(home, settings);
  const values: Record<string, unknown> = { ...parsed.values };
  const origins: Record<string, Origin> = { ...parsed.origins };
  for (const [key, option] of Object.entries(SETTINGS)) {
    const setting = settings.get(fileKey(option));
    if (setting === undefined || origins[key]?.kind !== "default") continue;
    values[key] = parseSetting(home, option.flag, setting);
    origins[key] = { kind: "file", path: home.settings, name: fileKey(option) };
  }
  return {
    ...parsed,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each value comes from its own option's kind
    values: values as OptionValues<T>,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys are those of the values
    origins: origins as ParsedLine<T>["origins"],
    home,
    defaultArgs: listOf(settings.get("default_args")),
  };
}

function homeOf({ home }: OptionValues<typeof HOME_OPTIONS>, env: Environment): Home {
  if (home !== null) return homeAt(resolve(home));
  const place = placeBelow((userHome) => defaultHome({ env, platform: process.platform, userHome }));
  if (place === null)
    throw new UsageError("this user has no home directory to keep models in; --home PATH (or MODELRELAY_HOME) names another place");
  return homeAt(place);
}

/** The key as it is written on the command line. @throws UsageError with the nearest one */
export function settingKey(word: string): keyof typeof SETTINGS {
  const name = word.replace(/^--/, "").replaceAll("_", "-");
  const keys = Object.entries(SETTINGS);
  const found = keys.find(([, { flag }]) => flag === name)?.[0];
  if (found !== undefined && found in SETTINGS) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it was just found there
    return found as keyof typeof SETTINGS;
  }
  const flags = keys.map(([, { flag }]) => flag);
  throw new UsageError(`there is no setting ${quote(word)}${didYouMean(name, flags)} The settings are ${flags.join(", ")}`);
}

export function listOf(setting: SettingValue | undefined): readonly string[] {
  if (setting === undefined) return [];
  return typeof setting === "object"
    ? setting
    : String(setting)
        .split(/\s+/)
        .filter((word) => word !== "");
}

function refuseUnknown(home: Home, settings: Settings): void {
  const known = Object.values(SETTINGS).map(fileKey);
  const wrong = [...settings.keys()].find((key) => !known.includes(key));
  if (wrong !== undefined) throw new CommandError(`unknown key ${quote(wrong)} in ${home.settings}${didYouMean(wrong, known)}`);
}

function parseSetting(home: Home, flag: string, setting: SettingValue): unknown {
  const option = Object.values(SETTINGS).find((candidate) => candidate.flag === flag)!;
  const text = typeof setting === "object" ? setting.join(" ") : String(setting);
  const outcome = option.kind.parse(text);
  if (outcome.ok) return outcome.value;
  const shown = option.kind.shape === "secret" ? "the value" : quote(text);
  throw new CommandError(`${fileKey(option)} in ${home.settings}: ${shown} is not ${option.kind.expects}`);
}
