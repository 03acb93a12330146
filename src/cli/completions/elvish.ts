// Writes the completions for elvish: tables of what may stand where, and a completer that reads the line by them.
import functions from "./elvish-functions.txt" with { type: "text" };
import type { Flag, Place, Plan, Value, Word } from "./plan.ts";

export function toElvish({ program, places }: Plan): string {
  const isCommand = places[0]?.kind === "command";
  return [
    `# Completions of ${program} for elvish, 0.18 or later.`,
    `# Made by '${program} ${isCommand ? "--completions" : "completions"} elvish'; make it anew after an update.`,
    "use str",
    "",
    "var places = [",
    ...places.flatMap(rowsOf).map((row) => `  ${row}`),
    "]",
    "",
    functions.replaceAll("PROGRAM", quote(program)).trimEnd(),
    "",
  ].join("\n");
}

function rowsOf(place: Place): readonly string[] {
  const commands = place.kind === "group" ? place.commands : [];
  const words = place.kind === "command" ? place.words : [];
  return [
    `&${quote(place.path.join(" "))}=[`,
    `  &is-command=${truth(place.kind === "command")}`,
    "  &commands=[",
    ...commands.map(({ name, summary }) => `    [&name=${quote(name)} &help=${quote(summary)}]`),
    "  ]",
    "  &flags=[",
    ...place.flags.map((flag) => `    ${flagRow(flag)}`),
    "  ]",
    "  &words=[",
    ...words.map((word) => `    ${wordRow(word)}`),
    "  ]",
    "]",
  ];
}

function flagRow({ name, help, endedBy, value }: Flag): string {
  return `[&name=${quote(name)} &help=${quote(help)} &ended-by=${list(endedBy)} ${valueFields(value)}]`;
}

function wordRow({ value, isMany }: Word): string {
  return `[&is-many=${truth(isMany)} ${valueFields(value)}]`;
}

function valueFields(value: Value): string {
  return `&kind=${quote(value.kind)} &offered=${list("words" in value ? value.words : [])}`;
}

function list(texts: readonly string[]): string {
  return `[${texts.map(quote).join(" ")}]`;
}

function truth(is: boolean): string {
  return is ? "$true" : "$false";
}

/** A text as it is. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
