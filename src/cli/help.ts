// `--help`, from the tables: what the command does, then each option with its flag, variable, default and sentence.
import type { AnyOption, OptionTable } from "./options/option.ts";

const WIDTH = 100;
const INDENT = "  ";
const HELP_INDENT = "      ";
const GAP = 2;
const HOW_TO_READ =
  "Each flag is followed by its variable and its default. A flag wins over the variable, the variable over the config file. " +
  "Switches also take --no-..., true and false; lists are repeatable or comma separated.";

/** At most 100 columns. */
export function renderCommandHelp(name: string, summary: string, table: OptionTable): string {
  const options = Object.values(table);
  const flags = new Map(options.map((option) => [option, flagText(option)]));
  const flagWidth = widest([...flags.values()]);
  const variableWidth = widest(options.map(variableText));
  const groups = new Map<string, AnyOption[]>();
  for (const option of options) groups.set(option.group, [...(groups.get(option.group) ?? []), option]);

  const lines = [`modelrelay ${name}: ${summary}`, "", `Usage: modelrelay ${name} [flags]`];
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

interface CommandSummary {
  readonly name: string;
  readonly summary: string;
}

export function renderRootHelp(commands: readonly CommandSummary[]): string {
  const width = widest(commands.map((command) => command.name));
  return [
    "modelrelay: one stable endpoint for many model servers. Workers connect out; requests route in.",
    "",
    "Usage: modelrelay <command> [flags]",
    "",
    "Commands:",
    ...commands.map((command) => `${INDENT}${command.name.padEnd(width)}${" ".repeat(GAP)}${command.summary}`),
    "",
    "Under a name that begins with modelrelay-server or modelrelay-worker it is 'serve' or 'work'.",
    "'modelrelay <command> --help' lists the flags of a command, 'modelrelay --version' says the version.",
    "To try it without any model: modelrelay up --demo",
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
