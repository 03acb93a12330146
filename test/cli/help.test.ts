// What `--help` shows.
import { expect, test } from "bun:test";
import { COMMANDS } from "../../src/cli/commands.ts";
import { everyCommand, findCommand } from "../../src/cli/find-command.ts";
import { renderCommandHelp, renderGroupHelp } from "../../src/cli/help.ts";
import { runCli } from "./run-cli.ts";
import { TerminalCli } from "./terminal-cli.ts";

for (const command of await everyCommand()) {
  test(`[K15] the help of ${command.path} shows each flag, variable, default and sentence in 100 columns`, () => {
    const { options } = command.body;
    const help = renderCommandHelp(command);
    const lines = help.split("\n");
    expect(lines.filter((line) => line.length > 100)).toEqual([]);
    expect(lines.filter((line) => line.endsWith(" "))).toEqual([]);
    for (const option of Object.values(options)) {
      const row = lines.find((line) => line.startsWith(`  --${option.flag} `) || line === `  --${option.flag}`)!;
      expect(row).toEndWith(option.fallbackText);
      expect(row).toContain(option.variables[0] ?? "");
      expect(help.replaceAll(/\s+/g, " ")).toContain(option.help);
    }
  });
}

test("[K15] the columns of a command's help are aligned under their group", async () => {
  const found = await findCommand(["serve"]);
  if (found.kind !== "command") throw new Error("serve is no command");
  const lines = renderCommandHelp(found.command).split("\n");
  const column = (flag: string, text: string) => lines.find((line) => line.startsWith(`  --${flag} `))!.indexOf(text);
  expect(column("listen", "LISTEN_ADDR")).toBe(column("queue-timeout", "QUEUE_TIMEOUT_SECS"));
  expect(column("listen", "127.0.0.1:8080")).toBe(column("max-queue-len", "100"));
  expect(lines.indexOf("Limits:")).toBeLessThan(lines.findIndex((line) => line.startsWith("  --queue-timeout")));
});

test("[K15] the help of the program lists every command", () => {
  const help = renderGroupHelp({ path: "", summary: "", group: { commands: COMMANDS } });
  for (const { name, summary } of COMMANDS) expect(help).toMatch(new RegExp(`^  ${name} +${summary.slice(0, 10)}`, "m"));
  expect(help.split("\n").every((line) => line.length <= 100)).toBe(true);
});

test("[K15] a command with words shows them in its usage, and a group its commands", async () => {
  const revoke = (await everyCommand()).find(({ path }) => path === "keys revoke")!;
  expect(renderCommandHelp(revoke)).toContain("Usage: modelrelay keys revoke ID... [flags]\n\n  ID\n      The keys to revoke: ");
  const keys = await findCommand(["keys", "--help"]);
  if (keys.kind !== "group") throw new Error("keys is no group");
  expect(keys.isHelpAsked).toBe(true);
  const help = renderGroupHelp(keys.group);
  expect(help).toStartWith("modelrelay keys: API keys of a relay");
  for (const name of ["create", "list", "revoke"]) expect(help).toMatch(new RegExp(`^  ${name} +\\w`, "m"));
});

test.each([40, 60, 80])("[K15] on a terminal of %p columns every help breaks between words and loses none", async (width) => {
  for (const command of await everyCommand()) {
    const help = renderCommandHelp(command, width);
    // A word alone in its line is one that nothing can break.
    expect(help.split("\n").filter((line) => line.length > width && line.trim().includes(" "))).toEqual([]);
    expect(help.split(/\s+/).toSorted()).toEqual(renderCommandHelp(command).split(/\s+/).toSorted());
  }
});

test("[K15] the width is the terminal's, at least 40 and at most 100; a pipe's is 100", async () => {
  const linesAt = async (cols: number, args: readonly string[]) => {
    await using narrow = new TerminalCli(args, { cols, rows: 60 });
    await narrow.exit();
    return narrow.written.split(/\r*\n/);
  };
  for (const args of [["--help"], ["keys", "create", "--help"], ["service", "--help"]]) {
    const piped = (await runCli(args)).out.split("\n");
    expect(Math.max(...(await linesAt(60, args)).map((line) => line.length))).toBeWithin(50, 61);
    expect(await linesAt(20, args)).toEqual(await linesAt(40, args));
    expect(await linesAt(200, args)).toEqual(piped);
    expect(Math.max(...piped.map((line) => line.length))).toBeWithin(61, 101);
  }
}, 40_000);
