// Writes the completions for PowerShell: tables of what may stand where, and a completer that reads the line by them.
import functions from "./powershell-functions.txt" with { type: "text" };
import type { Flag, Place, Plan, Value, Word } from "./plan.ts";

export function toPowerShell({ program, places }: Plan): string {
  const isCommand = places[0]?.kind === "command";
  return [
    `# Completions of ${program} for PowerShell, 5 or later.`,
    `# Made by '${program} ${isCommand ? "--completions" : "completions"} powershell'; make it anew after an update.`,
    "",
    `Register-ArgumentCompleter -Native -CommandName ${quote(program)}, ${quote(`${program}.exe`)} -ScriptBlock {`,
    "    param($wordToComplete, $commandAst, $cursorPosition)",
    "",
    "    $places = @(",
    ...places.flatMap(rowsOf).map((row) => `        ${row}`),
    "    )",
    "",
    functions.trimEnd(),
    "}",
    "",
  ].join("\n");
}

function rowsOf(place: Place): readonly string[] {
  const commands = place.kind === "group" ? place.commands : [];
  const words = place.kind === "command" ? place.words : [];
  return [
    `@{ Path = ${quote(place.path.join(" "))}; IsCommand = ${truth(place.kind === "command")}`,
    "    Commands = @(",
    ...commands.map(({ name, summary }) => `        @{ Name = ${quote(name)}; Help = ${quote(summary)} }`),
    "    )",
    "    Flags = @(",
    ...place.flags.map((flag) => `        ${flagRow(flag)}`),
    "    )",
    "    Words = @(",
    ...words.map((word) => `        ${wordRow(word)}`),
    "    ) }",
  ];
}

function flagRow({ name, help, endedBy, value }: Flag): string {
  return `@{ Name = ${quote(name)}; Help = ${quote(help)}; EndedBy = ${list(endedBy)}; ${valueFields(value)} }`;
}

function wordRow({ value, isMany }: Word): string {
  return `@{ IsMany = ${truth(isMany)}; ${valueFields(value)} }`;
}

function valueFields(value: Value): string {
  return `Kind = ${quote(value.kind)}; Offered = ${list("words" in value ? value.words : [])}`;
}

function list(texts: readonly string[]): string {
  return `@(${texts.map(quote).join(", ")})`;
}

function truth(is: boolean): string {
  return is ? "$true" : "$false";
}

/** A text as it is. To PowerShell typographic quotes are quotes too. */
function quote(text: string): string {
  return `'${text.replaceAll(/['\u2018-\u201b]/g, "$&$&")}'`;
}
