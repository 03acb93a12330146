// The command and the hidden flag, as real processes under every name the program has.
import { expect, test } from "bun:test";
import { COMMANDS } from "../../src/cli/commands.ts";
import { planOfProgram } from "../../src/cli/completions/plan.ts";
import { SHELLS, writeScript } from "../../src/cli/completions/shells.ts";
import { everyCommand } from "../../src/cli/find-command.ts";
import { runCli } from "../cli/run-cli.ts";

const CHOICES = "bash, zsh, fish, powershell, elvish";
const plan = await planOfProgram("modelrelay", COMMANDS);

test.each([...SHELLS])("[Z1] completions %s prints the script, and so does --completions", async (shell) => {
  const script = writeScript(shell, plan);
  for (const args of [["completions", shell], ["--completions", shell], [`--completions=${shell}`]]) {
    expect(await runCli(args)).toEqual({ code: 0, out: script, err: "" });
  }
});

test.each([...SHELLS])("[Z1] the script for %s has every command, flag and choice of the tree", async (shell) => {
  const script = writeScript(shell, plan);
  for (const { path, body } of await everyCommand()) {
    for (const word of path.split(" ")) expect(script).toContain(word);
    for (const { flag, kind } of Object.values(body.options)) {
      expect(script).toContain(shell === "fish" ? `-l ${flag} ` : `--${flag}`);
      if (kind.shape === "switch") expect(script).toContain(shell === "fish" ? `-l no-${flag} ` : `--no-${flag}`);
      for (const value of Array.isArray(kind.completes) ? kind.completes : []) expect(script).toContain(value);
    }
  }
});

test("[Z1] another shell, none or too many are refused with the choices and the nearest", async () => {
  const refusals = await Promise.all([
    runCli(["completions", "bahs"]),
    runCli(["--completions", "pwsh"]),
    runCli(["--completions=fsh"]),
    runCli(["completions"], { SHELL: "/bin/bash" }),
    runCli(["--completions"], {}, "modelrelay-server"),
    runCli(["completions", "bash", "zsh"]),
  ]);
  expect(refusals.map(({ code, out }) => [code, out])).toEqual(refusals.map(() => [2, ""]));
  expect(refusals.map(({ err }) => err)).toEqual([
    `modelrelay: SHELL: "bahs" is not one of ${CHOICES}; did you mean bash?\n`,
    `modelrelay: SHELL: "pwsh" is not one of ${CHOICES}.\n`,
    `modelrelay: SHELL: "fsh" is not one of ${CHOICES}; did you mean fish?\n`,
    `modelrelay: completions needs SHELL: One of ${CHOICES}. 'modelrelay completions --help' says more\n`,
    `modelrelay: completions needs SHELL: One of ${CHOICES}. 'modelrelay completions --help' says more\n`,
    `modelrelay: unexpected argument "zsh". 'modelrelay completions --help' says more\n`,
  ]);
});

test.each([
  ["modelrelay-server", "serve", "--queue-timeout"],
  ["modelrelay-worker", "work", "--proxy-url"],
])("[Z2] called as %s, --completions prints the script for that name", async (program, command, flag) => {
  const { code, out, err } = await runCli(["--completions", "fish"], {}, program);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toContain(`Made by '${program} --completions fish'`);
  expect(out).toContain(`-l ${flag.slice(2)} `);
  const others = (await everyCommand()).filter(({ path }) => path !== command).map(({ path }) => path);
  expect(others.filter((path) => new RegExp(`-a ${path.split(" ")[0]}\\b`).test(out))).toEqual([]);
  expect(
    out
      .split("\n")
      .filter((line) => line.startsWith("complete "))
      .every((line) => line.startsWith(`complete -c ${program} `)),
  ).toBe(true);
});
