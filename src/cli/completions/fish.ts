// Writes the completions for fish: one `complete` line for each thing there is to complete, with the place it belongs to as its condition.
import functions from "./fish-functions.txt" with { type: "text" };
import { type CommandPlace, type Flag, type Place, type Plan, takesNextWord, type Value } from "./plan.ts";

export function toFish({ program, places }: Plan): string {
  const fn = `__${program.replaceAll(/\W/g, "_")}`;
  const isCommand = places[0]?.kind === "command";
  const complete = `complete -c ${quote(program)}`;
  return [
    `# Completions of ${program} for fish.`,
    `# Made by '${program} ${isCommand ? "--completions" : "completions"} fish'; make it anew after an update.`,
    "",
    functions.replaceAll("FUNCTION", fn),
    "# The flags of a command whose value is the next word.",
    `function ${fn}__valued`,
    '    switch "$argv"',
    ...places.flatMap(valuedCase),
    "    end",
    "end",
    "",
    "# No files but where a path belongs.",
    `${complete} -f`,
    ...places.flatMap((place) => ["", ...linesOf(place, fn).map((line) => `${complete} ${line}`)]),
    "",
  ].join("\n");
}

function valuedCase(place: Place): readonly string[] {
  const valued = place.flags.filter(takesNextWord);
  if (place.kind === "group" || place.words.length === 0 || valued.length === 0) return [];
  return [`        case ${quote(place.path.join(" "))}`, `            printf '%s\\n' ${valued.map(({ name }) => name).join(" ")}`];
}

function linesOf(place: Place, fn: string): readonly string[] {
  const at = place.path.map(quote);
  if (place.kind === "command") {
    const here = quote([`${fn}__command`, ...at].join(" "));
    const assigning = quote([`${fn}__assigning`, ...at].join(" "));
    return [
      ...place.flags.map((flag) => `-n ${here} ${flagArguments(flag)}`),
      ...place.flags.filter(({ value }) => value.kind === "switch").map((flag) => `-n ${assigning} ${switchArguments(flag)}`),
      ...wordLines(place, fn),
    ];
  }
  const here = quote([`${fn}__group`, ...at].join(" "));
  return [
    ...place.commands.map(({ name, summary }) => `-n ${here} -a ${quote(quote(name))} -d ${quote(summary)}`),
    ...place.flags.map((flag) => `-n ${here} ${flagArguments(flag)}`),
  ];
}

function wordLines({ path, words }: CommandPlace, fn: string): readonly string[] {
  return words.flatMap(({ value, isMany }, number) => {
    const condition = [`${fn}__word`, number, isMany ? "many" : "one", ...path.map(quote)].join(" ");
    const offered = valueArguments(value);
    return offered === "" ? [] : [`-n ${quote(condition)} ${offered}`];
  });
}

function flagArguments({ name, help, value }: Flag): string {
  const long = `-l ${quote(name.slice(2))} -d ${quote(help)}`;
  switch (value.kind) {
    case "none":
    case "switch":
      return long;
    case "any":
      return `${long} -x`;
    case "path":
      return `${long} -r ${valueArguments(value)}`;
    case "words":
      return `${long} -x ${valueArguments(value)}`;
  }
  return value satisfies never;
}

/** Its values, which stand behind `=` only. */
function switchArguments({ name, help, value }: Flag): string {
  return `-l ${quote(name.slice(2))} -d ${quote(help)} -f ${valueArguments(value)}`;
}

/** Empty where there is nothing to offer. */
function valueArguments(value: Value): string {
  if (value.kind === "path") return "-F";
  // fish evaluates the list as code. What follows a tab says what a word is: with nothing there it gets no sentence of its flag.
  return "words" in value ? `-a ${quote(value.words.map((word) => String.raw`${quote(word)}\t`).join(" "))}` : "";
}

/** One word to fish, whatever is in it. */
function quote(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll(/[\\']/g, "\\$&")}'`;
}
