// What `--help` shows.
import { expect, test } from "bun:test";
import { COMMANDS } from "../../src/cli/commands.ts";
import { renderCommandHelp, renderRootHelp } from "../../src/cli/help.ts";

for (const command of COMMANDS) {
  test(`[K15] the help of ${command.name} shows each flag, variable, default and sentence in 100 columns`, async () => {
    const { options } = await command.load();
    const help = renderCommandHelp(command.name, command.summary, options);
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
  const { options } = await COMMANDS[0]!.load();
  const lines = renderCommandHelp("serve", "x", options).split("\n");
  const column = (flag: string, text: string) => lines.find((line) => line.startsWith(`  --${flag} `))!.indexOf(text);
  expect(column("listen", "LISTEN_ADDR")).toBe(column("queue-timeout", "QUEUE_TIMEOUT_SECS"));
  expect(column("listen", "127.0.0.1:8080")).toBe(column("max-queue-len", "100"));
  expect(lines.indexOf("Limits:")).toBeLessThan(lines.findIndex((line) => line.startsWith("  --queue-timeout")));
});

test("[K15] the help of the program lists every command", () => {
  const help = renderRootHelp(COMMANDS);
  for (const { name, summary } of COMMANDS) expect(help).toMatch(new RegExp(`^  ${name} +${summary.slice(0, 10)}`, "m"));
  expect(help.split("\n").every((line) => line.length <= 100)).toBe(true);
});
