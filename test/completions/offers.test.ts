// What the real shells offer behind every command of the tree: all that belongs there, and nothing else.
import { describe, expect, test } from "bun:test";
import { isGroup } from "../../src/cli/command.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import { planOfCommand, planOfProgram } from "../../src/cli/completions/plan.ts";
import { type Shell, writeScript } from "../../src/cli/completions/shells.ts";
import { everyCommand } from "../../src/cli/find-command.ts";
import type { AnyOption, OptionTable } from "../../src/cli/options/option.ts";
import { isMissing, MISSING_PACKAGES } from "./installed.ts";
import { type Ask, askBash, askElvish, askFish, askZsh } from "./shells.ts";

const LIMIT_MS = 120_000;

test("with CI=true nothing is left out: every shell that Debian has is there", () => {
  if (process.env["CI"] === "true") expect(MISSING_PACKAGES).toEqual([]);
});

interface Asked {
  readonly shell: Shell;
  readonly ask: Ask;
  /** Whether it shows what a command or flag is about. */
  readonly isTalkative: boolean;
  /** Whether flags on the line are left out. */
  readonly isMindful: boolean;
}

const SHELLS: readonly Asked[] = [
  { shell: "bash", ask: askBash, isTalkative: false, isMindful: true },
  { shell: "zsh", ask: askZsh, isTalkative: true, isMindful: true },
  { shell: "fish", ask: askFish, isTalkative: true, isMindful: false },
  { shell: "elvish", ask: askElvish, isTalkative: true, isMindful: true },
];

const commands = await everyCommand();
const plan = await planOfProgram("modelrelay", COMMANDS);

for (const { shell, ask, isTalkative, isMindful } of SHELLS) {
  describe.skipIf(isMissing(shell))(shell, () => {
    const script = writeScript(shell, plan);

    /** The words offered behind each line, sorted. */
    async function words(lines: readonly string[], of = script): Promise<Readonly<Record<string, readonly string[]>>> {
      const answers = await ask(of, lines);
      return Object.fromEntries(lines.map((line, at) => [line, answers[at]!.map(({ word }) => word).sort()]));
    }

    patiently("[Z3] every command and every verb of a group is offered where it belongs, with its summary", async () => {
      const groups = await everyGroup();
      const answers = await ask(
        script,
        groups.map(({ path }) => `${path} `),
      );
      for (const [at, { members }] of groups.entries()) {
        const offered = Object.fromEntries(answers[at]!.map(({ word, says }) => [word, isTalkative ? says : ""]));
        expect(offered).toEqual(Object.fromEntries(members.map(({ name, summary }) => [name, isTalkative ? summary : ""])));
      }
    });

    patiently("[Z3] behind a command all its flags are offered, with what they are, and no flag of another", async () => {
      const lines = commands.map(({ path }) => `modelrelay ${path} --`);
      const answers = await ask(script, lines);
      const expected = commands.map(({ body }) => flagsOf(body.options).sort());
      expect(answers.map((offers) => offers.map(({ word }) => word).sort())).toEqual(expected);
      if (!isTalkative) return;
      for (const [at, { body }] of commands.entries()) {
        for (const { flag, help } of Object.values(body.options)) {
          expect(answers[at]!.find(({ word }) => word === `--${flag}`)!.says).toBe(help);
        }
      }
    });

    patiently("[Z4] behind a flag, and behind its =, the values it takes are offered: words, files, or nothing", async () => {
      const asked = commands.flatMap(({ path, body }) =>
        Object.values(body.options).flatMap((option) => {
          const line = `modelrelay ${path} --${option.flag}`;
          const behind = { line: `${line} `, expected: valuesOf(option) };
          const joined = { line: `${line}=`, expected: valuesOf(option).map((value) => `--${option.flag}=${value}`) };
          return option.kind.shape === "switch" ? [joined] : [behind, joined];
        }),
      );
      expect(asked.length).toBeGreaterThan(100);
      const found = await words(asked.map(({ line }) => line));
      expect(found).toEqual(Object.fromEntries(asked.map(({ line, expected }) => [line, [...expected].sort()])));
    });

    patiently("[Z3] beside the values of a flag its sentence is not repeated", async () => {
      const answers = await ask(script, [
        "modelrelay keys create --scope ",
        "modelrelay keys create --scope=",
        "modelrelay keys list --json=",
      ]);
      expect(answers.map((offers) => offers.length)).toEqual([3, 3, 2]);
      const helps = commands.flatMap(({ body }) => Object.values(body.options).map(({ help }) => help));
      expect(answers.flat().filter(({ says }) => helps.includes(says))).toEqual([]);
    });

    patiently("[Z4] a value that was begun is completed, behind the flag and behind its =", async () => {
      const begun = await words([
        "modelrelay serve --log-format j",
        "modelrelay serve --log-format=j",
        "modelrelay serve --listen 127.0.0.1:8080 --log-format=t",
        "modelrelay serve --listen=[::1]:8080 --config=rel",
        "modelrelay serve --config rel",
        "modelrelay serve --config nothing",
      ]);
      expect(Object.values(begun)).toEqual([
        ["json"],
        ["--log-format=json"],
        ["--log-format=text"],
        ["--config=relay.toml"],
        ["relay.toml"],
        [],
      ]);
    });

    patiently("[Z4] the choices of a word are offered at its place and nowhere else, and nothing behind --", async () => {
      const shells = ["bash", "elvish", "fish", "powershell", "zsh"];
      expect((await words(["modelrelay completions "]))["modelrelay completions "]).toEqual(shells);
      const nothing = [
        "modelrelay completions bash z",
        "modelrelay completions -- ",
        "modelrelay serve -- ",
        "modelrelay serve -- --",
        "modelrelay serve --log-format text -- --log",
        "modelrelay nothing ",
        "modelrelay nothing --",
        "modelrelay serve rel",
        "modelrelay keys nothing --",
        "modelrelay -- serve --",
      ];
      expect(await words(nothing)).toEqual(Object.fromEntries(nothing.map((line) => [line, []])));
    });

    if (isMindful)
      patiently("[Z6] a flag on the line is offered again only when it may be repeated, a switch in neither form", async () => {
        const found = await words([
          "modelrelay serve --log-level=info --log-l",
          "modelrelay serve --log-level info --log-l",
          "modelrelay up --demo --dem",
          "modelrelay up --demo --no-d",
          "modelrelay up --no-demo --dem",
          "modelrelay keys create --scope infer --sco",
        ]);
        expect(Object.values(found)).toEqual([[], [], ["--demo-speed"], [], ["--demo-speed"], ["--scope"]]);
      });

    for (const [program, name] of [
      ["modelrelay-server", "serve"],
      ["modelrelay-worker", "work"],
    ] as const)
      patiently(`[Z2] ${program} completes the flags of ${name} and nothing else`, async () => {
        const { body } = commands.find(({ path }) => path === name)!;
        const own = writeScript(shell, planOfCommand(program, body));
        const found = await words([`${program} --`, `${program} --log-format=`, `${program} serv`, `${program} -- --`], own);
        expect(Object.values(found)).toEqual([flagsOf(body.options).sort(), ["--log-format=json", "--log-format=text"], [], []]);
      });
  });
}

interface Group {
  /** As typed. */
  readonly path: string;
  readonly members: readonly { readonly name: string; readonly summary: string }[];
}

async function everyGroup(path = "modelrelay", members = COMMANDS): Promise<readonly Group[]> {
  const below = await Promise.all(
    members.map(async ({ name, load }) => {
      const loaded = await load();
      return isGroup(loaded) ? await everyGroup(`${path} ${name}`, loaded.commands) : [];
    }),
  );
  return [{ path, members }, ...below.flat()];
}

function flagsOf(options: OptionTable): string[] {
  const own = Object.values(options).flatMap(({ flag, kind }) => (kind.shape === "switch" ? [`--${flag}`, `--no-${flag}`] : [`--${flag}`]));
  return [...own, "--help", "--version"];
}

/** Of each kind that says what it completes to; the shells stand in a folder with this one file. */
function valuesOf({ kind }: AnyOption): readonly string[] {
  if (kind.shape === "switch") return ["true", "false"];
  return kind.completes === "path" ? ["relay.toml"] : (kind.completes ?? []);
}

/** zsh takes its time on a busy machine. */
function patiently(title: string, check: () => Promise<void>): void {
  test(title, check, LIMIT_MS);
}
