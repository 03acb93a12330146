// `modelrelay llamafile config`: settings that last, so that the daily commands need no flags.
import { resolve } from "node:path";
import { UsageError } from "../../base/errors.ts";
import { changeSettings, readSettings, type SettingValue } from "../../llamafile/settings-file.ts";
import type { CommandBody, CommandGroup } from "../command.ts";
import { fileKey } from "../options/option.ts";
import { checkSecret } from "../options/secrets.ts";
import type { WordSlot } from "../options/words.ts";
import { HOME_OPTIONS, JSON_OPTION } from "./option-groups.ts";
import { SETTINGS } from "./options.ts";
import { listOf, readLine, settingKey } from "./settings.ts";

const KEY: WordSlot = { name: "KEY", help: "The setting, named as its flag.", isNeeded: true, isMany: false };
const VALUE: WordSlot = {
  name: "VALUE",
  help: "Its value; a secret is read from the standard input when left off.",
  isNeeded: false,
  isMany: false,
};
const GET_LINE = { options: HOME_OPTIONS, words: [KEY] };
const SET_LINE = { options: HOME_OPTIONS, words: [KEY, VALUE], passed: { name: "ARGS", help: "The value of default-args." } };
const LIST_LINE = { options: { ...HOME_OPTIONS, ...JSON_OPTION } };

const get: CommandBody = {
  ...GET_LINE,
  async run(args, world) {
    const { words, home } = readLine("config get", GET_LINE, args, world.env);
    const { key, option } = settingOf(words[0]);
    const value = readSettings(home).get(key);
    if (value === undefined) world.tell(`${option.flag} is not set: ${option.fallbackText}\n`);
    else world.print(`${show(option.kind.shape, value)}\n`);
    return value === undefined ? 1 : 0;
  },
};

const set: CommandBody = {
  ...SET_LINE,
  async run(args, world) {
    const { words, passed, home } = readLine("config set", SET_LINE, args, world.env);
    const { key, option } = settingOf(words[0]);
    const isArgs = option === SETTINGS.defaultArgs;
    if (!isArgs && passed.length > 0) throw new UsageError("only default-args takes arguments after --");
    const given = isArgs ? passed : [words[1] ?? (await readValue(option.flag, option.kind.shape))];
    if (isArgs && (words[1] !== undefined || passed.length === 0)) {
      throw new UsageError("default-args are written after --, as in: config set default-args -- --temp 0.2");
    }
    const value = isArgs ? [...passed] : toValue(option, given[0] ?? "");
    changeSettings(home, (settings) => void settings.set(key, value));
    world.print(`${option.flag} = ${show(option.kind.shape, value)}\n`);
    return 0;
  },
};

const unset: CommandBody = {
  ...GET_LINE,
  async run(args, world) {
    const { words, home } = readLine("config unset", GET_LINE, args, world.env);
    const { key, option } = settingOf(words[0]);
    changeSettings(home, (settings) => void settings.delete(key));
    world.print(`${option.flag} is not set: ${option.fallbackText}\n`);
    return 0;
  },
};

const list: CommandBody = {
  ...LIST_LINE,
  async run(args, world) {
    const { values, home } = readLine("config list", LIST_LINE, args, world.env);
    const settings = readSettings(home);
    const shown = Object.values(SETTINGS).flatMap((option) => {
      const value = settings.get(fileKey(option));
      return value === undefined ? [] : [[option.flag, show(option.kind.shape, value)] as const];
    });
    if (values.json) world.print(`${JSON.stringify({ file: home.settings, settings: Object.fromEntries(shown) }, null, 2)}\n`);
    else if (shown.length > 0) world.print(shown.map(([flag, value]) => `${flag} = ${value}\n`).join(""));
    else
      world.tell(
        `Nothing is set. The settings are ${Object.values(SETTINGS)
          .map(({ flag }) => flag)
          .join(", ")}.\n`,
      );
    return 0;
  },
};

export const config: CommandGroup = {
  commands: [
    { name: "get", summary: "shows one setting; a secret only by its end", load: async () => get },
    { name: "set", summary: "keeps a setting", load: async () => set },
    { name: "unset", summary: "forgets a setting", load: async () => unset },
    { name: "list", summary: "shows what is set", load: async () => list },
  ],
};

type AnySetting = (typeof SETTINGS)[keyof typeof SETTINGS];

function settingOf(word: string | undefined) {
  const option: AnySetting = SETTINGS[settingKey(word ?? "")];
  return { key: fileKey(option), option };
}

/** @throws UsageError saying what it should be */
function toValue({ flag, kind }: AnySetting, text: string): SettingValue {
  const outcome = kind.parse(text);
  const where = `config set ${flag}`;
  if (!outcome.ok) {
    const advice = outcome.advice === undefined ? "" : `; ${outcome.advice}`;
    throw new UsageError(`${where}: ${kind.shape === "secret" ? "the value" : JSON.stringify(text)} is not ${kind.expects}${advice}`);
  }
  if (kind.shape === "secret") return checkSecret(text, where);
  // Whoever reads it later may be somewhere else.
  return kind.completes === "path" ? resolve(text.trim()) : text.trim();
}

/** A secret typed as a word stays in the shell's history; from the standard input it does not. */
async function readValue(flag: string, shape: string): Promise<string> {
  if (shape !== "secret") throw new UsageError(`config set ${flag} needs VALUE`);
  if (process.stdin.isTTY)
    throw new UsageError(`config set ${flag}: give the secret on the standard input, as in: config set ${flag} < FILE`);
  return await Bun.stdin.text();
}

function show(shape: string, value: SettingValue): string {
  if (shape === "secret") return masked(String(value));
  return typeof value === "object" ? listOf(value).join(" ") : String(value);
}

/** Enough to tell one from another, too little to use. */
function masked(secret: string): string {
  return secret.length >= SHOWS_ITS_END_FROM_CHARS ? `********${secret.slice(-4)}` : "********";
}

const SHOWS_ITS_END_FROM_CHARS = 16;
