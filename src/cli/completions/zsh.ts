// Writes the completions for zsh: one function for each place, made of specifications for zsh's own `_arguments`.
import { type CommandPlace, type Flag, type GroupPlace, type Plan, takesNextWord, type Value, type Word } from "./plan.ts";

export function toZsh({ program, places }: Plan): string {
  const name = (path: readonly string[]) => [`_${program}`, ...path].join("__").replaceAll(/[^\w-]/g, "_");
  const isCommand = places[0]?.kind === "command";
  const main = name([]);
  return [
    `#compdef ${program}`,
    `# Completions of ${program} for zsh: a file named ${main} in a directory of $fpath, or sourced after compinit.`,
    `# Made by '${program} ${isCommand ? "--completions" : "completions"} zsh'; make it anew after an update.`,
    "",
    ...places.flatMap((place) => [...(place.kind === "group" ? groupFunctions(place, name) : commandFunction(place, name)), ""]),
    "# Loaded by compinit it is called at once; sourced it registers itself.",
    `if [[ $funcstack[1] == ${quote(main)} ]]; then`,
    `  ${main} "$@"`,
    "else",
    `  compdef ${main} ${quote(program)}`,
    "fi",
    "",
  ].join("\n");
}

type Naming = (path: readonly string[]) => string;

function groupFunctions({ path, flags, commands }: GroupPlace, name: Naming): readonly string[] {
  const fn = name(path);
  // The words below are counted from the command on, as if it were the program.
  return [
    `${fn}() {`,
    '  local curcontext="$curcontext" state line',
    "  typeset -A opt_args",
    ...argumentsCall("-C", [...flags.map(flagSpec), `1: :${fn}_commands`, "*::: :->rest"]).map((row) => `  ${row}`),
    "  local ret=$?",
    "  [[ $state == rest ]] || return ret",
    '  words=("$line[1]" "${words[@]}")',
    "  (( CURRENT += 1 ))",
    '  curcontext="${curcontext%:*:*}:' + fn.slice(1) + '-$line[1]:"',
    "  case $line[1] in",
    ...commands.map((command) => `    ${quote(command.name)}) ${name([...path, command.name])} ;;`),
    "    *) return 1 ;;",
    "  esac",
    "}",
    "",
    `${fn}_commands() {`,
    "  local -a commands=(",
    ...commands.map((command) => `    ${quote(`${escapeName(command.name)}:${escapeBackslashes(command.summary)}`)}`),
    "  )",
    "  _describe -t commands command commands",
    "}",
  ];
}

function commandFunction({ path, flags, words }: CommandPlace, name: Naming): readonly string[] {
  return [
    `${name(path)}() {`,
    "  # What follows is not for this program to know.",
    "  (( ${words[(i)--]} < CURRENT )) && return 1",
    ...argumentsCall("-S", [...flags.map(flagSpec), ...words.map(wordSpec)]).map((row) => `  ${row}`),
    "}",
  ];
}

function argumentsCall(modes: string, specs: readonly string[]): readonly string[] {
  return [`_arguments ${modes}`, ...specs.map((spec) => `  ${quote(spec)}`)].map((row, at) => (at < specs.length ? `${row} \\` : row));
}

/** As in `(--json --no-json)--json=-[Print JSON.]::switch:(true false)`. */
function flagSpec(flag: Flag): string {
  const { name, help, isRepeatable, endedBy, value } = flag;
  const before = isRepeatable ? "*" : `(${endedBy.join(" ")})`;
  const form = takesNextWord(flag) ? "=" : value.kind === "switch" ? "=-" : "";
  const optional = value.kind === "switch" ? ":" : "";
  const described = `${before}${name}${form}[${help.replaceAll(/[\\[\]]/g, "\\$&")}]`;
  return value.kind === "none" ? described : `${described}:${optional}${action(value)}`;
}

/** None is optional here, or zsh would offer what may follow it as well. */
function wordSpec({ value, isMany }: Word, at: number): string {
  return `${isMany ? "*" : at + 1}:${action(value)}`;
}

/** The message and what is offered. */
function action(value: Value): string {
  const message = value.kind === "none" ? " " : escapeColons(value.hint);
  if (value.kind === "path") return `${message}:_files`;
  // zsh evaluates the list as code.
  return "words" in value ? `${message}:(${value.words.map((word) => escapeColons(quote(word))).join(" ")})` : `${message}: `;
}

function escapeName(text: string): string {
  return escapeBackslashes(text).replaceAll(":", "\\:");
}

function escapeBackslashes(text: string): string {
  return text.replaceAll("\\", "\\\\");
}

function escapeColons(text: string): string {
  return text.replaceAll(":", "\\:");
}

/** One word to zsh, whatever is in it. */
function quote(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
