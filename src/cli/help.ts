// `--help`, from the tables: what the command does, then each option with its flag, variable, default and sentence.
import type { CommandBody } from "./command.ts";
import type { FoundCommand, FoundGroup } from "./find-command.ts";
import { outputWidth } from "./columns.ts";
import type { AnyOption } from "./options/option.ts";
import { wrapWords } from "./wrap.ts";

const WIDTH_MAX = 100;
// Narrower than this nothing can be read, wherever the lines break.
const WIDTH_MIN = 40;
const INDENT = "  ";
const HELP_INDENT = "      ";
const GAP = 2;
const HOW_TO_READ =
  "Each flag is followed by its variable and its default. A flag wins over the variable, the variable over the config file. " +
  "Switches also take --no-..., true and false; lists are repeatable or comma separated.";

/** Columns that help takes: those of a narrow terminal, and at most 100 elsewhere. */
export function helpWidth(): number {
  return Math.max(WIDTH_MIN, Math.min(WIDTH_MAX, outputWidth()));
}

export function renderCommandHelp({ path, summary, body }: FoundCommand, width = WIDTH_MAX): string {
  const options = Object.values(body.options);
  const groups = new Map<string, AnyOption[]>();
  for (const option of options) groups.set(option.group, [...(groups.get(option.group) ?? []), option]);
  const rows = optionRows(options, width);

  const explain = (name: string, help: string) => ["", `${INDENT}${name}`, ...wrapWords(help, HELP_INDENT, width)];
  const lines = [...wrapWords(`modelrelay ${path}: ${summary}`, "", width), "", ...wrapWords(`Usage: ${usageOf(path, body)}`, "", width)];
  for (const { name, help } of body.words ?? []) lines.push(...explain(name, help));
  if (body.passed !== undefined) lines.push(...explain(body.passed.name, body.passed.help));
  lines.push("", ...wrapWords(HOW_TO_READ, "", width));
  for (const [group, members] of groups) {
    lines.push("", `${group}:`);
    for (const option of members) lines.push(...rows.get(option)!, ...wrapWords(option.help, HELP_INDENT, width));
  }
  lines.push("", "Also:", `${INDENT}-h, --help`, `${HELP_INDENT}This text.`, `${INDENT}-V, --version`, `${HELP_INDENT}The version.`);
  return lines.join("\n");
}

/** What stands above each option's sentence: one row of a table, or where that is too wide its flag and below it the rest. */
function optionRows(options: readonly AnyOption[], width: number): ReadonlyMap<AnyOption, readonly string[]> {
  const flagWidth = widest(options.map(flagText));
  const variableWidth = widest(options.map(variableText));
  const rows = options.map((option) => {
    const columns = [flagText(option).padEnd(flagWidth), variableText(option).padEnd(variableWidth), option.fallbackText];
    return `${INDENT}${columns.join(" ".repeat(GAP))}`.trimEnd();
  });
  if (widest(rows) <= width) return new Map(options.map((option, at) => [option, [rows[at]!]]));
  return new Map(
    options.map((option) => {
      const rest = [variableText(option), option.fallbackText].filter((text) => text !== "").join(" ".repeat(GAP));
      return [option, [`${INDENT}${flagText(option)}`, ...(rest === "" ? [] : wrapWords(rest, HELP_INDENT, width))]];
    }),
  );
}

/** As in `modelrelay keys revoke ID... [flags]`. */
function usageOf(path: string, { words = [], passed }: CommandBody): string {
  const shown = words.map(({ name, isNeeded, isMany }) => {
    const repeated = isMany ? `${name}...` : name;
    return ` ${isNeeded ? repeated : `[${repeated}]`}`;
  });
  return `modelrelay ${path}${shown.join("")} [flags]${passed === undefined ? "" : ` [-- ${passed.name}...]`}`;
}

/** What `modelrelay --help` and `modelrelay keys --help` show. */
export function renderGroupHelp({ path, summary, group }: FoundGroup, width = WIDTH_MAX): string {
  const isRoot = path === "";
  const program = isRoot ? "modelrelay" : `modelrelay ${path}`;
  const nameWidth = widest(group.commands.map((command) => command.name));
  const wrap = (text: string) => wrapWords(text, "", width);
  return [
    ...wrap(`${program}: ${isRoot ? "one stable endpoint for many model servers. Workers connect out; requests route in." : summary}`),
    "",
    ...wrap(`Usage: ${program} <command> [flags]`),
    "",
    "Commands:",
    ...group.commands.flatMap(({ name, summary: says }) => {
      const [first = "", ...more] = wrapWords(says, " ".repeat(INDENT.length + nameWidth + GAP), width);
      return [`${INDENT}${name.padEnd(nameWidth)}${first.slice(INDENT.length + nameWidth)}`, ...more];
    }),
    "",
    ...(isRoot ? wrap("Under a name that begins with modelrelay-server or modelrelay-worker it is 'serve' or 'work'.") : []),
    ...wrap(`'${program} <command> --help' lists the flags of a command, 'modelrelay --version' says the version.`),
    ...(isRoot ? wrap("To try it without any model: modelrelay up --demo") : []),
  ].join("\n");
}

function flagText(option: AnyOption): string {
  const { hint, shape } = option.kind;
  if (shape === "switch") return `--${option.flag}`;
  return `--${option.flag} <${hint}>`;
}

/** The first variable stands for all; the docs name the others. */
function variableText(option: AnyOption): string {
  return option.variables[0] ?? "";
}

function widest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map((text) => text.length));
}
