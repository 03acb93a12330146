// Whether a process is the one that is meant: on systems that tell by a tool, and where none of them tells.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { isAlive, isGone, type ProcessWorld, startOf } from "../../src/llamafile/identity.ts";
import { isUp, statusNow } from "../../src/llamafile/run-state.ts";
import { until } from "../support/until.ts";
import { Scene } from "./scene.ts";

const MAIN = join(import.meta.dir, "../../src/main.ts");

function worldOf(platform: NodeJS.Platform, run: ProcessWorld["run"], isThere = true): ProcessWorld {
  const probe = (): void => {
    if (!isThere) throw Object.assign(new Error("no such process"), { code: "ESRCH" });
  };
  const readFile = (): string => {
    throw Object.assign(new Error("no such file"), { code: "ENOENT" });
  };
  return { platform, probe, readFile, run };
}

/** As macOS asks, in a terminal of this time zone. */
function inZone(zone: string): ProcessWorld {
  return worldOf("darwin", (command, env) => {
    const { exitCode, stdout } = Bun.spawnSync([...command], { env: { PATH: process.env["PATH"] ?? "", TZ: zone, ...env } });
    return { code: exitCode, out: stdout.toString() };
  });
}

test.skipIf(Bun.which("ps") === null)("[F13] when a process started has one text, whatever the time zone of who asks", () => {
  const starts = ["Asia/Tokyo", "America/New_York", "UTC0"].map((zone) => startOf(process.pid, inZone(zone)));
  expect(starts[0]).toMatchObject({ kind: "at" });
  expect(new Set(starts.map((start) => JSON.stringify(start))).size).toBe(1);
});

test.each([
  ["ended in time with a failure", () => ({ code: 1, out: "" })],
  ["took too long", () => ({ code: null, out: "" })],
  ["printed nothing", () => ({ code: 0, out: "\n" })],
  [
    "is not there",
    () => {
      throw new Error("ENOENT");
    },
  ],
])("[F13] a tool that %s does not prove that a process is gone; the system's own word does", (_what, run) => {
  for (const platform of ["darwin", "win32", "linux"] as const) {
    expect(startOf(4711, worldOf(platform, run))).toEqual({ kind: "unknown" });
    expect(startOf(4711, worldOf(platform, run, false))).toEqual({ kind: "none" });
  }
  expect(
    startOf(
      4711,
      worldOf("win32", () => ({ code: 0, out: "134000000000000000\r\n" })),
    ),
  ).toEqual({ kind: "at", text: "134000000000000000" });
});

/** Runs `llamafile` where nothing is told of these processes. */
async function runBlind(
  scene: Scene,
  pids: readonly number[],
  ...words: readonly string[]
): Promise<{ readonly code: number; readonly text: string }> {
  const hiding = pids.map((pid) => `mount -t tmpfs none /proc/${pid}`).join(" && ");
  const line = ["unshare", "--mount", "sh", "-c", `${hiding} && exec "$@"`, "sh", process.execPath, MAIN, "llamafile", ...words];
  const env = { PATH: process.env["PATH"] ?? "", HOME: scene.folder, MODELRELAY_HOME: scene.home.root };
  const child = Bun.spawn(line, { env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, text: out + err };
}

const canHide =
  process.platform === "linux" && Bun.spawnSync(["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/proc/1"]).exitCode === 0;

test.skipIf(!canHide)(
  "[F13] where it cannot be told whether a model runs it is left alone, and nothing that is written down of it is forgotten",
  async () => {
    await using scene = new Scene();
    await scene.imports("mine");
    await scene.run("run", "mine");
    const { keeper, model } = scene.state("mine");
    const hidden = [keeper.pid, model?.pid ?? 0];
    // It hears nothing for now, so that nothing ends by being asked.
    process.kill(keeper.pid, "SIGSTOP");
    try {
      expect((await runBlind(scene, hidden, "status")).text).toMatch(/^mine +running/m);
      const { code, text } = await runBlind(scene, hidden, "stop", "mine", "--timeout", "0.3");
      expect(text).toContain(`does not tell whether process ${keeper.pid} still is one of mine, so it is left alone`);
      expect(code).toBe(1);
      expect((await runBlind(scene, hidden, "rm", "mine", "--yes")).text).toContain("mine runs;");
    } finally {
      process.kill(keeper.pid, "SIGCONT");
    }
    expect([isAlive(keeper), isAlive(model)]).toEqual([true, true]);
    expect(isUp(statusNow(scene.home, "mine"))).toBe(true);
    // A keeper that does hear ends in order, whoever it is to us.
    expect((await runBlind(scene, hidden, "stop", "mine")).text).toBe("mine: stopped\n");
    await until(() => isGone(keeper) && isGone(model), "both are gone");
  },
  60_000,
);
