// Writes the completions for bash: one function that finds out where the line stands, and tables of what may follow there.
// It uses nothing that bash 3.2 lacks, as macOS still brings that: no associative arrays, no mapfile, no ${x,,}; compopt only where it exists.
import functions from "./bash-functions.txt" with { type: "text" };
import { type CommandPlace, type Flag, type Place, type Plan, type Value } from "./plan.ts";

export function toBash({ program, places }: Plan): string {
  const fn = `_${program.replaceAll(/\W/g, "_")}`;
  const isCommand = places[0]?.kind === "command";
  return [
    `# Completions of ${program} for bash, 3.2 or later, with or without the package bash-completion.`,
    `# Made by '${program} ${isCommand ? "--completions" : "completions"} bash'; make it anew after an update.`,
    "",
    "# Where a word leads: sets place and is_command.",
    `${fn}__step() {`,
    ...cases('"$place/$1"', places.flatMap(stepsOf)),
    "}",
    "",
    "# What may stand at the place: sets commands and flags, and often for the flags that may be repeated.",
    `${fn}__place() {`,
    "  commands=() flags=() often=()",
    ...cases('"$place"', places.map(contentOf)),
    "}",
    "",
    "# What the value of the flag $1 may be: sets kind and offered.",
    `${fn}__value() {`,
    "  kind=none offered=()",
    ...cases('"$place $1"', places.flatMap(valuesOf)),
    "}",
    "",
    "# What the word may be that has $1 others before it: sets kind and offered.",
    `${fn}__word() {`,
    "  kind=none offered=()",
    ...cases('"$place $1"', places.flatMap(wordsOf)),
    "}",
    "",
    functions.replaceAll("FUNCTION", fn).replace("IS_COMMAND", isCommand ? "1" : ""),
    "if type compopt >/dev/null 2>&1; then",
    `  complete -F ${fn} ${quote(program)}`,
    "else",
    "  # Without compopt the fallback to files is for all words or for none.",
    `  complete -o default -F ${fn} ${quote(program)}`,
    "fi",
    "",
  ].join("\n");
}

type Case = readonly [patterns: readonly string[], commands: string];

function cases(of: string, all: readonly Case[]): readonly string[] {
  if (all.length === 0) return ["  return 0"];
  return [`  case ${of} in`, ...all.map(([patterns, commands]) => `    ${patterns.join(" | ")}) ${commands} ;;`), "  esac"];
}

function stepsOf(place: Place): readonly Case[] {
  if (place.path.length === 0) return [];
  const before = place.path.slice(0, -1).join(" ");
  const sets = `place=${quote(place.path.join(" "))} is_command=${place.kind === "command" ? "1" : ""}`;
  return [[[quote(`${before}/${place.path.at(-1)}`)], sets]];
}

function contentOf(place: Place): Case {
  const commands = place.kind === "group" ? place.commands.map(({ name }) => name) : [];
  const once = place.flags.filter(({ isRepeatable }) => !isRepeatable).map(({ name }) => name);
  const often = place.flags.filter(({ isRepeatable }) => isRepeatable).map(({ name }) => name);
  return [[quote(place.path.join(" "))], `commands=(${list(commands)}) flags=(${list(once)}) often=(${list(often)})`];
}

function valuesOf({ path, flags }: Place): readonly Case[] {
  const at = path.join(" ");
  const patterns = (found: readonly Flag[]) => found.map(({ name }) => quote(`${at} ${name}`));
  const plain = (["any", "path"] as const).flatMap((kind): readonly Case[] => {
    const found = flags.filter(({ value }) => value.kind === kind);
    return found.length === 0 ? [] : [[patterns(found), `kind=${kind}`]];
  });
  const worded = flags.flatMap((flag): readonly Case[] => ("words" in flag.value ? [[patterns([flag]), sets(flag.value)]] : []));
  return [...plain, ...worded];
}

function wordsOf(place: Place): readonly Case[] {
  if (place.kind === "group") return [];
  const { words } = place satisfies CommandPlace;
  return words.map(({ value, isMany }, at) => {
    // Whatever number is greater than those before.
    const number = isMany ? "*" : String(at);
    return [[`${quote(`${place.path.join(" ")} `)}${number}`], sets(value)];
  });
}

function sets(value: Value): string {
  return "words" in value ? `kind=${value.kind} offered=(${list(value.words)})` : `kind=${value.kind}`;
}

function list(words: readonly string[]): string {
  return words.map(quote).join(" ");
}

/** One word to bash, whatever is in it. */
function quote(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
