// `--help`, from the tables: what the command does, then each option with its flag, variable, default and sentence.
import type { CommandBody } from "./commands.ts";
import type { FoundCommand, FoundGroup } from "./find-command.ts";
import type { AnyOption } from "./options/option.ts";

const WIDTH = 100;
const INDENT = "  ";
const HELP_INDENT = "      ";
const GAP = 2;
const HOW_TO_READ =
  "Each flag is followed by its variable and its default. A flag wins over the variable, the variable over the config file. " +
  "Switches also take --no-..., true and false; lists are repeatable or comma separated.";

/** At most 100 columns. */
export function renderCommandHelp({ path, summary, body }: FoundCommand): string {
  const options = Object.values(body.options);
  const flags = new Map(options.map((option) => [option, flagText(option)]));
  const flagWidth = widest([...flags.values()]);
  const variableWidth = widest(options.map(variableText));
  const groups = new Map<string, AnyOption[]>();
  for (const option of options) groups.set(option.group, [...(groups.get(option.group) ?? []), option]);

  const lines = [`modelrelay ${path}: ${summary}`, "", `Usage: ${usageOf(path, body)}`];
  for (const { name, help } of body.words ?? []) lines.push("", `${INDENT}${name}`, ...wrap(help, HELP_INDENT));
  if (body.passed !== undefined) lines.push("", `${INDENT}${body.passed.name}`, ...wrap(body.passed.help, HELP_INDENT));
  lines.push("", ...wrap(HOW_TO_READ, ""));
  for (const [group, members] of groups) {
    lines.push("", `${group}:`);
    for (const option of members) {
      const columns = [flags.get(option)!.padEnd(flagWidth), variableText(option).padEnd(variableWidth), option.fallbackText];
      lines.push(`${INDENT}${columns.join(" ".repeat(GAP))}`.trimEnd());
      lines.push(...wrap(option.help, HELP_INDENT));
    }
  }
  lines.push("", "Also:", `${INDENT}-h, --help`, `${HELP_INDENT}This text.`, `${INDENT}-V, --version`, `${HELP_INDENT}The version.`);
  return lines.join("\n");
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
export function renderGroupHelp({ path, summary, group }: FoundGroup): string {
  const isRoot = path === "";
  const program = isRoot ? "modelrelay" : `modelrelay ${path}`;
  const width = widest(group.commands.map((command) => command.name));
  return [
    `${program}: ${isRoot ? "one stable endpoint for many model servers. Workers connect out; requests route in." : summary}`,
    "",
    `Usage: ${program} <command> [flags]`,
    "",
    "Commands:",
    ...group.commands.flatMap(({ name, summary: says }) => {
      const [first = "", ...more] = wrap(says, " ".repeat(INDENT.length + width + GAP));
      return [`${INDENT}${name.padEnd(width)}${first.slice(INDENT.length + width)}`, ...more];
    }),
    "",
    ...(isRoot ? ["Under a name that begins with modelrelay-server or modelrelay-worker it is 'serve' or 'work'."] : []),
    `'${program} <command> --help' lists the flags of a command, 'modelrelay --version' says the version.`,
    ...(isRoot ? ["To try it without any model: modelrelay up --demo"] : []),
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

function wrap(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(" ")) {
    if (line !== indent && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = indent;
    }
    line += line === indent ? word : ` ${word}`;
  }
  return [...lines, line];
}
