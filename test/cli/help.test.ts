// What `--help` shows.
import { expect, test } from "bun:test";
import { COMMANDS } from "../../src/cli/commands.ts";
import { everyCommand, findCommand } from "../../src/cli/find-command.ts";
import { renderCommandHelp, renderGroupHelp } from "../../src/cli/help.ts";

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
