// What a model in the foreground says: to its last word, and without steering the terminal it is shown on.
import { expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { followLog } from "../../src/llamafile/log-file.ts";
import { TerminalCli } from "../cli/terminal-cli.ts";
import { until } from "../support/until.ts";
import { Scene } from "./scene.ts";

test("[F16] in the foreground the last words of a crash are shown", async () => {
  await using scene = new Scene();
  await scene.imports("mine");
  const { code, out, err } = await scene.run("run", "mine", "--foreground", "--", "--crash-at-start", "5");
  expect(out).toContain("error: the model cannot be loaded\n");
  expect(err).toContain("mine crashed (exit code 5)");
  expect(code).toBe(1);
}, 20_000);

test("[F17] a log is read to its end when following it ends", async () => {
  await using scene = new Scene();
  const path = join(scene.folder, "m.log");
  writeFileSync(path, "before\n");
  const ending = new AbortController();
  let text = "";
  const following = followLog(path, 0, (piece) => void (text += piece), systemClock, ending.signal);
  expect(text).toBe("before\n");
  writeFileSync(path, "the last words\n", { flag: "a" });
  ending.abort();
  await following;
  expect(text).toBe("before\nthe last words\n");
});

test("[F17] what a model in the foreground says does not steer the terminal", async () => {
  await using scene = new Scene();
  await scene.imports("loud");
  const words = ["llamafile", "run", "loud", "--foreground", "--", "--temp", "\u001b]0;title\u0007"];
  await using terminal = new TerminalCli(words, { cols: 200, rows: 24 }, { MODELRELAY_HOME: scene.home.root, HOME: scene.folder });
  await until(() => terminal.written.includes("server is listening"), "it runs", 20_000);
  expect(terminal.written).toContain("\\u001b]0;title\\u0007");
  expect(terminal.written).not.toContain("\u001b]");
  terminal.type("\u0003");
  expect(await terminal.exit()).toBe(0);
}, 30_000);
