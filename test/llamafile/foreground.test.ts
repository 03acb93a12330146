// A model in the foreground, and what it and its worker say: shown as it comes, kept, and cut.
import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive } from "../../src/llamafile/identity.ts";
import { cutLog, readTail } from "../../src/llamafile/log-file.ts";
import { until } from "../support/until.ts";
import { Scene } from "./scene.ts";

const LONG_MS = 60_000;
const MAIN = join(import.meta.dir, "../../src/main.ts");

test(
  "[F16] in the foreground it stays, shows what the model says, and takes it down at a signal",
  async () => {
    await using scene = new Scene();
    await scene.imports("mine");
    await using running = scene.start("run", "mine", "--foreground");
    await running.sees(/mine answers at http/);
    await running.sees(/server is listening on port/);
    const { model } = scene.state("mine");
    expect((await scene.run("status")).out).toMatch(/^mine +running/m);
    expect((await scene.run("run", "mine", "--foreground")).err).toContain("mine is running or being started already");
    running.signal("SIGINT");
    expect(await running.exit()).toBe(0);
    expect(isAlive(model)).toBe(false);
    await using crashing = scene.start("run", "mine", "--foreground", "--", "--crash-at-start", "5");
    expect(await crashing.exit()).toBe(1);
    expect(crashing.err).toContain("mine crashed (exit code 5)");
  },
  LONG_MS,
);

test(
  "[F17] logs shows the last lines, and what is written from then on",
  async () => {
    await using scene = new Scene();
    await scene.imports("mine");
    expect((await scene.run("logs", "mine")).err).toContain("mine has said nothing yet");
    await scene.run("run", "mine");
    expect((await scene.run("logs", "mine", "--lines", "1")).out).toMatch(/^server is listening on port \d+\n$/);
    expect((await scene.run("logs", "mine", "--lines", "0")).out).toBe("");
    await using following = scene.start("logs", "mine", "-f", "--lines", "1");
    await following.sees(/server is listening/);
    await scene.run("restart", "mine");
    await following.sees(/server is listening[\s\S]*---[\s\S]*server is listening/);
    following.signal("SIGINT");
    expect(await following.exit()).toBe(0);
  },
  LONG_MS,
);

test(
  "[F16] in the foreground a second signal ends a model that does not listen, too",
  async () => {
    await using scene = new Scene();
    await scene.imports("mine");
    await using running = scene.start("run", "mine", "--foreground", "--", "--deaf");
    await running.sees(/mine answers at http/);
    const { model } = scene.state("mine");
    running.signal("SIGTERM");
    await running.sees(/not listening/);
    // Another one, as the same one so soon would count as the first.
    running.signal("SIGINT");
    expect(await running.exit()).toBe(130);
    await until(() => !isAlive(model), "the model has ended");
  },
  LONG_MS,
);

test("[F17] logs --follow ends when nobody reads any more", async () => {
  await using scene = new Scene();
  await scene.imports("mine");
  mkdirSync(scene.home.logs, { recursive: true });
  const log = join(scene.home.logs, "mine.log");
  writeFileSync(log, "before\n");
  const env = { HOME: scene.folder, MODELRELAY_HOME: scene.home.root };
  const unread = Bun.spawn([process.execPath, MAIN, "llamafile", "logs", "mine", "--follow"], {
    env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  await unread.stdout.cancel();
  writeFileSync(log, "after\n", { flag: "a" });
  expect(await unread.exited).toBe(0);
});

test("[F17] a log does not grow without end: what it held goes to a second file, and its end is read quickly", async () => {
  await using scene = new Scene();
  const path = join(scene.folder, "m.log");
  writeFileSync(path, "a line\n".repeat(1_000));
  cutLog(path, 7_000);
  expect(statSync(path).size).toBe(7_000);
  writeFileSync(path, "one more\n", { flag: "a" });
  cutLog(path, 7_000);
  expect(statSync(path).size).toBe(0);
  expect(readFileSync(`${path}.1`, "utf8")).toEndWith("a line\none more\n");
  writeFileSync(path, "1\n2\n3");
  expect(readTail(path, 2)).toEqual({ text: "2\n3\n", end: 5 });
  expect(readTail(join(scene.folder, "none.log"), 2)).toEqual({ text: "", end: 0 });
});
