// How a model and its worker are asked to end in order: by a file, as signals do not ask on every system.
import { expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isGone, signalProcess } from "../../src/llamafile/identity.ts";
import { statusNow } from "../../src/llamafile/run-state.ts";
import { STOP_REQUEST_VARIABLE, stopRequestPath } from "../../src/llamafile/stop-request.ts";
import { RunningCli } from "../cli/run-cli.ts";
import { Rig } from "../processes/rig.ts";
import { until } from "../support/until.ts";
import { Scene } from "./scene.ts";

const LONG_MS = 60_000;
// As the relay of the rig has it.
const SECRET = "processes-secret";

test.each([
  ["", false],
  [", also when the worker hears of it first", true],
])(
  "[F13] a keeper ends in order by the request alone, and its worker drains%s",
  async (_when, isKeeperLate) => {
    await using scene = new Scene();
    await using rig = new Rig();
    const relay = await rig.relay();
    await scene.imports("mine");
    scene.env = { WORKER_SECRET: SECRET, PROXY_URL: relay.url };
    await using serving = scene.start("serve", "mine", "--foreground");
    await serving.sees(/mine answers at/);
    await relay.has(1);
    const state = scene.state("mine");
    const request = stopRequestPath(scene.home, state);
    if (isKeeperLate) signalProcess(state.keeper, "SIGSTOP");
    writeFileSync(request, "");
    if (isKeeperLate) {
      await relay.has(0);
      signalProcess(state.keeper, "SIGCONT");
    }
    expect(await serving.exit()).toBe(0);
    await until(() => [state.keeper, state.model, state.worker].every(isGone), "all three have ended", 20_000);
    expect(scene.log("mine", "worker")).toContain("graceful shutdown");
    expect(statusNow(scene.home, "mine").kind).toBe("stopped");
    expect(existsSync(request)).toBe(false);
  },
  LONG_MS,
);

test("[F13] a worker drains by the request alone", async () => {
  await using scene = new Scene();
  await using rig = new Rig();
  const relay = await rig.relay();
  const request = join(scene.folder, "request");
  const args = ["work", "--proxy-url", relay.url, "--backend-url", "http://127.0.0.1:9", "--models", "m"];
  await using worker = new RunningCli(args, { WORKER_SECRET: SECRET, [STOP_REQUEST_VARIABLE]: request });
  await relay.has(1);
  writeFileSync(request, "");
  expect(await worker.exit()).toBe(0);
  expect(worker.err).toContain("graceful shutdown");
});

test.each([
  ["with its keeper", false],
  ["that has lost its keeper", true],
])(
  "[F13] stop lets the worker of a model %s finish its requests before the model ends",
  async (_what, isAlone) => {
    await using scene = new Scene();
    await using rig = new Rig();
    const relay = await rig.relay();
    await scene.imports("mine");
    scene.env = { WORKER_SECRET: SECRET, PROXY_URL: relay.url };
    expect((await scene.run("serve", "mine", "--", "--pace", "20")).code).toBe(0);
    const { keeper } = scene.state("mine");
    if (isAlone) {
      signalProcess(keeper, "SIGKILL");
      await until(() => isGone(keeper), "the keeper is gone");
    }
    const body = { model: "mine", stream: true, messages: [{ role: "user", content: "Tell me something." }] };
    const answer = await fetch(relay.at("/v1/chat/completions"), { method: "POST", body: JSON.stringify(body) });
    let text = "";
    let stopping: ReturnType<Scene["run"]> | null = null;
    const decoder = new TextDecoder();
    for await (const bytes of answer.body ?? []) {
      text += decoder.decode(bytes, { stream: true });
      if (text.includes('"content"')) stopping ??= scene.run("stop", "mine");
    }
    expect(text.trim()).toEndWith("data: [DONE]");
    expect(await stopping).toMatchObject({ code: 0, out: "mine: stopped\n" });
    expect(readdirSync(scene.home.state).filter((name) => name.startsWith("mine"))).toEqual([]);
  },
  LONG_MS,
);
