// A command tree whose sentences and words are full of what shells take for code: it has to come out as it is, and nothing may run.
import { describe, expect, test } from "bun:test";
import type { Command, CommandBody } from "../../src/cli/command.ts";
import { planOfProgram } from "../../src/cli/completions/plan.ts";
import { SHELLS, type Shell, writeScript } from "../../src/cli/completions/shells.ts";
import { flag, oneOf, path, text } from "../../src/cli/options/kinds.ts";
import { option, type ValueKind } from "../../src/cli/options/option.ts";
import { isMissing } from "./installed.ts";
import { type Ask, askBash, askElvish, askFish, askZsh, Scene } from "./shells.ts";

// Whatever runs leaves a file in the folder of the shell.
const NASTY = [
  "$(touch ran)",
  "`touch ran`",
  "it's",
  "''",
  'say "hi"',
  "$HOME",
  "${HOME}",
  "x:y",
  "[z]",
  "]",
  "back\\slash",
  "\\",
  "a b",
  "*",
  "?",
  "~",
  "%s%n",
  "{a,b}",
  "#no",
  "!boo",
  "a;touch ran",
  "a|b",
  "a&touch ran",
  "<x>",
  "(touch ran)",
  "k=v",
  "@at",
  "é",
  "‘curly’",
  "--",
] as const;

const LIMIT_MS = 120_000;
const HELP = `Says ${NASTY.join(" ")} and more.`;

function nastyOption<V>(name: string, kind: ValueKind<V>) {
  return option({ flag: name, variables: [], kind, fallback: null, group: "Odd", help: `${name}: ${HELP}` });
}

const run = async () => 0;
const odd: CommandBody = {
  options: {
    one: nastyOption("one", oneOf(NASTY)),
    file: nastyOption("file", path()),
    any: nastyOption("any", text("a:b[c]'d", 10)),
    turn: nastyOption("turn", flag()),
  },
  words: [
    { name: "FIRST:[x]", help: HELP, isNeeded: true, isMany: false, choices: ["red:[1]", "blue's"] },
    { name: "FILE", help: HELP, isNeeded: false, isMany: false, completes: "path" },
    { name: "REST", help: HELP, isNeeded: false, isMany: true, choices: NASTY.slice(0, -1) },
  ],
  run,
};
const plain: CommandBody = { options: { other: nastyOption("other", flag()) }, run };
const TREE: readonly Command[] = [
  { name: "odd", summary: HELP, load: async () => odd },
  {
    name: "group",
    summary: `A group: ${HELP}`,
    load: async () => ({
      commands: [
        { name: "deep", summary: HELP, load: async () => ({ commands: [{ name: "end", summary: HELP, load: async () => plain }] }) },
      ],
    }),
  },
];

const plan = await planOfProgram("made-up", TREE);
const ASKS: readonly { readonly shell: Shell; readonly ask: Ask }[] = [
  { shell: "bash", ask: askBash },
  { shell: "zsh", ask: askZsh },
  { shell: "fish", ask: askFish },
  { shell: "elvish", ask: askElvish },
];

for (const { shell, ask } of ASKS) {
  describe.skipIf(isMissing(shell))(shell, () => {
    const script = writeScript(shell, plan);

    /** What is offered behind each line, in one visit to the shell. */
    async function offered(lines: readonly string[]): Promise<readonly (readonly string[])[]> {
      const answers = (await ask(script, lines)).map((answer) => answer.map(({ word }) => word));
      const words = shell === "bash" || shell === "zsh" ? await Promise.all(answers.map(unquoteByBash)) : answers;
      return words.map((offers) => offers.toSorted());
    }

    patiently("[Z5] choices come out as they are, whatever is in them", async () => {
      const lines = ["made-up odd --one ", "made-up odd --one=", "made-up odd ", "made-up odd red blue "];
      expect(await offered(lines)).toEqual([
        NASTY.toSorted(),
        NASTY.map((word) => `--one=${word}`).sort(),
        ["blue's", "red:[1]"],
        NASTY.slice(0, -1).sort(),
      ]);
    });

    if (shell !== "bash")
      patiently("[Z5] sentences come out as they are", async () => {
        const [commands, flags, deep] = await ask(script, ["made-up ", "made-up odd --", "made-up group "]);
        expect(Object.fromEntries(commands!.map(({ word, says }) => [word, says]))).toEqual({ odd: HELP, group: `A group: ${HELP}` });
        expect(Object.fromEntries(flags!.map(({ word, says }) => [word, says]))).toMatchObject({
          "--one": `one: ${HELP}`,
          "--file": `file: ${HELP}`,
          "--turn": `turn: ${HELP}`,
          "--no-turn": `Not: turn: ${HELP}`,
        });
        expect(deep).toEqual([{ word: "deep", says: HELP }]);
      });

    patiently("[Z3] groups in groups lead to their commands", async () => {
      const lines = ["made-up group deep ", "made-up group deep end --", "made-up group deep nothing --"];
      expect(await offered(lines)).toEqual([["end"], ["--help", "--no-other", "--other", "--version"], []]);
    });

    patiently("[Z4] words are counted without flags and their values, and each place has its own", async () => {
      const lines = [
        "made-up odd --any x --turn --one=y bl",
        "made-up odd red ",
        "made-up odd --any x red --file y rel",
        "made-up odd red relay.toml y --turn --one ~ z x",
        "made-up odd -- ",
      ];
      expect(await offered(lines)).toEqual([["blue's"], ["relay.toml"], ["relay.toml"], ["x:y"], []]);
    });

    // zsh takes only what is behind = for the value of such a flag.
    if (shell !== "zsh")
      patiently("[Z4] true and false behind a switch are its value", async () => {
        expect(await offered(["made-up odd --turn true bl", "made-up odd true bl"])).toEqual([["blue's"], []]);
      });
  });
}

test("[Z5] to PowerShell every sentence is one literal, typographic quotes included", () => {
  const script = writeScript("powershell", plan);
  const literal = `'${`one: ${HELP}`.replaceAll(/['‘’]/g, "$&$&")}'`;
  expect(script).toContain(`@{ Name = '--one'; Help = ${literal};`);
  // What is left without its literals is this program's own.
  const code = script.replaceAll(/'(?:[^'\u2018-\u201b]|['\u2018-\u201b]{2})*'/g, "''");
  expect(code).not.toContain("ran");
  expect(code).not.toMatch(/[\u2018-\u201b]|hi"/);
});

test.each(SHELLS.filter((shell) => ["bash", "zsh", "fish"].includes(shell) && !isMissing(shell)))(
  "[Z5] %s takes the script for well-formed",
  async (shell) => {
    using scene = new Scene(writeScript(shell, plan));
    const { exitCode, stderr } = Bun.spawnSync([shell, "-n", scene.script]);
    expect({ exitCode, said: stderr.toString() }).toEqual({ exitCode: 0, said: "" });
  },
);

/** Both write words as they would stand on the line. What a program would be given of them. */
async function unquoteByBash(words: readonly string[]): Promise<string[]> {
  const child = Bun.spawn(["bash", "-c", `printf '%s\\0' ${words.join(" ")}`], { stdout: "pipe" });
  const out = await child.stdout.text();
  return words.length === 0 ? [] : out.split("\u0000").slice(0, -1);
}

/** zsh takes its time on a busy machine. */
function patiently(title: string, check: () => Promise<void>): void {
  test(title, check, LIMIT_MS);
}
