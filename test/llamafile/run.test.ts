// Models that run as processes of their own: started, asked, crashed, stopped, and never mistaken for another process.
import { expect, test } from "bun:test";
import { rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executableKind, startCommand } from "../../src/llamafile/executable.ts";
import { identify, isAlive, signalProcess } from "../../src/llamafile/identity.ts";
import { askVersion, llamafileArguments } from "../../src/llamafile/launch.ts";
import { isUp, statusNow, statusOf, writeRunState } from "../../src/llamafile/run-state.ts";
import { until } from "../support/until.ts";
import { Scene } from "./scene.ts";

const LONG_MS = 60_000;

test(
  "[F10] run waits until the model answers, and leaves it running on the loopback, without this program's secrets",
  async () => {
    await using scene = new Scene();
    await scene.imports("mine");
    scene.env = { WORKER_SECRET: "some-secret-of-mine", MODELRELAY_API_KEY: "mr-key", BACKEND_API_KEY: "of-another-backend" };
    const started = await scene.run("run", "mine", "--context-size", "2048", "--", "--temp", "0.5", "--load-ms", "700");
    expect(started.err).toContain("mine: loading\n");
    const url = /runs at (http:\/\/127\.0\.0\.1:\d+) /.exec(started.out)?.[1] ?? "";
    expect((await fetch(`${url}/health`)).status).toBe(200);
    expect(scene.log("mine")).toContain("--server --host 127.0.0.1 --port");
    expect(scene.log("mine")).toContain("--ctx-size 2048 --temp 0.5 --load-ms 700");
    expect(scene.log("mine")).toContain("secrets: none");
    expect(statSync(join(scene.home.logs, "mine.log")).mode & 0o777).toBe(0o600);

    const shown = await scene.run("status");
    expect(shown.out).toMatch(/^mine +running +http:/m);
    const told: unknown = JSON.parse((await scene.run("status", "--json")).out);
    expect(told).toEqual({
      models: [expect.objectContaining({ slug: "mine", status: "running", url, relay: null, pid: scene.state("mine").model?.pid })],
    });
    expect((await scene.run("list", "mine")).out).toMatch(/running$/m);
    expect(await scene.run("run", "mine")).toMatchObject({ code: 0, out: `mine runs already at ${url}\n` });
    expect(await scene.run("rm", "mine", "--yes")).toMatchObject({ code: 1, err: expect.stringContaining("mine runs;") as unknown });

    const asked = await scene.run("test", "mine");
    expect(asked.out).toMatch(/^directly \(http:.*\): answered, first word after \d+ ms, all after \d+ ms/);
    expect(asked.code).toBe(0);

    const { model, keeper } = scene.state("mine");
    expect(await scene.run("stop", "mine")).toMatchObject({ code: 0, out: "mine: stopped\n" });
    expect([isAlive(model), isAlive(keeper)]).toEqual([false, false]);
    expect((await scene.run("status")).err).toContain("No model runs");
    expect((await scene.run("test", "mine")).err).toContain("mine does not run (stopped)");
  },
  LONG_MS,
);

test(
  "[F10] a model that takes too long is said so and goes on loading",
  async () => {
    await using scene = new Scene();
    await scene.imports("mine");
    const slow = await scene.run("run", "mine", "--load-timeout", "1", "--", "--load-ms", "3600000");
    expect(slow).toMatchObject({ code: 1, err: expect.stringContaining("mine does not answer after 1 s; it goes on loading") as unknown });
    expect((await scene.run("status")).out).toMatch(/^mine +starting/m);
    expect((await scene.run("stop", "all")).out).toBe("mine: stopped\n");
  },
  LONG_MS,
);

test(
  "[F10] a port that is asked for is taken, or refused when somebody has it; the llamafile's own flag for it is refused",
  async () => {
    await using scene = new Scene();
    await scene.imports("mine");
    using taken = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("") });
    const { code, err } = await scene.run("run", "mine", "--port", String(taken.port));
    expect(err).toContain(`the port ${taken.port} is taken by another program`);
    expect(code).toBe(1);
    const range = `${taken.port}-${taken.port}`;
    expect((await scene.run("run", "mine", "--port-range", range)).err).toContain(`no port from ${taken.port} to ${taken.port} is free`);
    expect((await scene.run("run", "mine", "--", "--port", "1")).err).toContain("write --port PORT before the --");
    await scene.run("config", "set", "default-args", "--", "--port=1");
    expect((await scene.run("run", "mine")).err).toContain("write --port PORT before the --");
  },
  LONG_MS,
);

test("[F11] each version gets the flags it knows, and the format of llamafiles is started by the shell", async () => {
  await using scene = new Scene();
  const wishes = { port: 5, gpuLayers: null, contextSize: null, isForEmbeddings: false, hasGpu: true, args: ["-x"] };
  expect(llamafileArguments({ major: 0, minor: 9 }, wishes)).toEqual([
    "--server",
    "--host",
    "127.0.0.1",
    "--port",
    "5",
    "--nobrowser",
    "-ngl",
    "999",
    "-x",
  ]);
  expect(llamafileArguments({ major: 0, minor: 10 }, wishes)).toEqual(["--server", "--host", "127.0.0.1", "--port", "5", "-x"]);
  expect(llamafileArguments(null, { ...wishes, gpuLayers: 0, contextSize: 9, isForEmbeddings: true }).slice(5)).toEqual([
    "-ngl",
    "0",
    "--ctx-size",
    "9",
    "--embedding",
    "-x",
  ]);
  const [older, newer] = [scene.standIn("old"), scene.standIn("new")];
  expect(executableKind(newer)).toBe("ape");
  expect(startCommand(newer, 1)).toEqual(["/bin/sh", newer]);
  expect(await askVersion(startCommand(older, 1), {})).toEqual({ major: 0, minor: 9 });
  expect(await askVersion(startCommand(newer, 1), {})).toEqual({ major: 0, minor: 10 });
  expect(await askVersion(["/nonexistent/program"], {})).toBeNull();
  expect(startCommand("C:\\m.exe", 4 * 1024 ** 3 - 1, "win32")).toEqual(["C:\\m.exe"]);
  expect(() => startCommand("C:\\m.exe", 4 * 1024 ** 3, "win32")).toThrow("Windows runs no executable of 4 GB or more");
  const other = join(scene.folder, "x.llamafile");
  for (const [bytes, kind] of [
    ["#!/bin/sh\n", "script"],
    ["\u007fELF", "elf"],
    ["MZ\u0000", "windows"],
    ["GGUF", null],
    ["", null],
  ] as const) {
    writeFileSync(other, bytes);
    expect(executableKind(other)).toBe(kind);
  }
  expect(() => startCommand(other, 1)).toThrow("is no program");
});

test(
  "[F11] a llamafile of 0.9 runs too, with its own flags and without /health",
  async () => {
    await using scene = new Scene();
    await scene.imports("old");
    await scene.run("config", "set", "default-args", "--", "--temp", "0.9");
    expect(await scene.run("run", "old", "--", "--ctx-size", "512")).toMatchObject({ code: 0 });
    // What is set for all comes before what is said this time, so that the latter wins.
    expect(scene.log("old")).toMatch(/--nobrowser .*--temp 0\.9 --ctx-size 512$/m);
    expect((await scene.run("stop", "old")).out).toBe("old: stopped\n");
  },
  LONG_MS,
);

test(
  "[F12] a model that ends by itself is shown as crashed with its exit code, at its start and later; it can be started again",
  async () => {
    await using scene = new Scene();
    await scene.imports("mine");
    const failed = await scene.run("run", "mine", "--", "--crash-at-start", "3");
    expect(failed.code).toBe(1);
    expect(failed.err).toContain("error: the model cannot be loaded");
    expect(failed.err).toContain("mine crashed (exit code 3); 'modelrelay llamafile logs mine' shows what it said");
    expect((await scene.run("status")).out).toMatch(/^mine +crashed \(exit code 3\), see logs$/m);

    expect(await scene.run("run", "mine", "--", "--crash-when-asked", "7")).toMatchObject({ code: 0 });
    expect((await scene.run("test", "mine")).code).toBe(1);
    await until(() => statusNow(scene.home, "mine").kind === "crashed", "it is written down as crashed");
    expect((await scene.run("list", "mine")).out).toContain("crashed (exit code 7), see logs");

    expect(await scene.run("run", "mine")).toMatchObject({ code: 0 });
    signalProcess(scene.state("mine").model, "SIGKILL");
    await until(() => statusNow(scene.home, "mine").kind === "crashed", "it is written down as crashed");
    expect((await scene.run("status")).out).toContain("crashed (ended by SIGKILL), see logs");
    expect((await scene.run("stop", "mine")).out).toBe("mine: was not running\n");
  },
  LONG_MS,
);

test(
  "[F12] what was killed with all its keepers is shown as gone",
  async () => {
    await using scene = new Scene();
    await scene.imports("mine");
    await scene.run("run", "mine");
    const { keeper, model } = scene.state("mine");
    signalProcess(keeper, "SIGKILL");
    await until(() => statusNow(scene.home, "mine").kind === "unattended", "the keeper is gone, the model is not");
    expect((await scene.run("run", "mine")).err).toContain("its keeper is gone");
    signalProcess(model, "SIGKILL");
    await until(() => statusNow(scene.home, "mine").kind === "gone", "nothing is left");
    expect((await scene.run("status")).out).toContain("gone (killed, or the machine was restarted)");
    expect(await scene.run("run", "mine")).toMatchObject({ code: 0 });
  },
  LONG_MS,
);

test(
  "[F13] stop ends what does not listen, and what has lost its keeper",
  async () => {
    await using scene = new Scene();
    await Promise.all([scene.imports("deaf"), scene.imports("lone")]);
    await Promise.all([scene.run("run", "deaf", "--", "--deaf"), scene.run("run", "lone")]);
    const [deaf, lone] = [scene.state("deaf"), scene.state("lone")];
    signalProcess(lone.keeper, "SIGKILL");
    await until(() => !isAlive(lone.keeper), "the keeper is gone");
    const { code, out } = await scene.run("stop", "all", "--timeout", "1");
    expect(out.split("\n").toSorted()).toEqual(["", "deaf: ended by force, as it did not listen", "lone: stopped"]);
    expect(code).toBe(0);
    expect([deaf.model, deaf.keeper, lone.model].map(isAlive)).toEqual([false, false, false]);
  },
  LONG_MS,
);

test(
  "[F13] what a llamafile has started itself ends with it",
  async () => {
    await using scene = new Scene();
    await scene.imports("forking");
    await scene.run("run", "forking");
    const { model, port } = scene.state("forking");
    const child = Number(/^process: (\d+)$/m.exec(scene.log("forking"))?.[1]);
    expect(identify(child)).not.toBeNull();
    expect(child).not.toBe(model?.pid ?? 0);
    expect((await scene.run("stop", "forking")).out).toBe("forking: stopped\n");
    await until(() => identify(child) === null, "its child is gone");
    expect(await fetch(`http://127.0.0.1:${port}/health`).catch(() => null)).toBeNull();
  },
  LONG_MS,
);

test(
  "[F13] a process that only has the same number is never ended",
  async () => {
    await using scene = new Scene();
    await scene.imports("mine");
    await scene.run("run", "mine");
    const before = scene.state("mine");
    signalProcess(before.keeper, "SIGKILL");
    signalProcess(before.model, "SIGKILL");
    await until(() => statusNow(scene.home, "mine").kind === "gone", "nothing is left");
    const bystander = Bun.spawn(["sleep", "1000"]);
    try {
      const other = { pid: bystander.pid, started: "some other time" };
      writeRunState(scene.home, { ...before, keeper: other, model: other, worker: other });
      expect((await scene.run("status")).out).toContain("gone");
      expect((await scene.run("stop", "mine")).out).toBe("mine: was not running\n");
      expect(bystander.exitCode).toBeNull();
      expect(identify(bystander.pid)).not.toBeNull();
    } finally {
      bystander.kill("SIGKILL");
      await bystander.exited;
    }
    expect(identify(bystander.pid)).toBeNull();
  },
  LONG_MS,
);

test("[F12] what can be said of a model follows from what is written down and who is alive", () => {
  const id = { pid: 2, started: "x" };
  const state = {
    version: 1 as const,
    slug: "m",
    port: 1,
    is_port_fixed: false,
    args: [],
    gpu_layers: null,
    context_size: null,
    proxy_url: null,
    provider: null,
    tls_ca: null,
    max_concurrency: 1,
    started_at: 0,
    is_ready: true,
    keeper: id,
    model: id,
    worker: null,
    is_stopping: false,
    ended: null,
  };
  const end = { who: "model" as const, code: 1, signal: null, at: 0 };
  const both = { keeper: true, model: true };
  expect(statusOf(state, both).kind).toBe("running");
  expect(statusOf({ ...state, is_ready: false }, both).kind).toBe("starting");
  expect(statusOf({ ...state, is_stopping: true }, both).kind).toBe("stopping");
  expect(statusOf(state, { keeper: false, model: true }).kind).toBe("unattended");
  expect(statusOf(state, { keeper: false, model: false }).kind).toBe("gone");
  expect(statusOf({ ...state, ended: end }, both).kind).toBe("crashed");
  expect(statusOf({ ...state, ended: end, is_stopping: true }, both).kind).toBe("stopped");
  expect(statusOf({ ...state, is_stopping: true }, { keeper: false, model: false }).kind).toBe("stopped");
});

test(
  "[F14] two terminals at once start a model once, and several models on ports of their own",
  async () => {
    await using scene = new Scene();
    for (const slug of ["one", "two", "three"]) await scene.imports(slug);
    const starts = await Promise.all(["one", "one", "two", "three"].map((slug) => scene.run("run", slug, "--", "--load-ms", "500")));
    const same = starts.slice(0, 2);
    // The later one either finds it being started, or loses the race to start it; there is one process in any case.
    expect(same.filter(({ out }) => out.includes("runs at"))).toHaveLength(1);
    for (const { code, out, err } of same) {
      expect(out).toMatch(/runs at|being started already at|runs already at/);
      // What another one's model says is no reason for anything here.
      expect(err).not.toContain("server is listening");
      expect(code).toBe(0);
    }
    expect(starts.slice(2).map(({ code }) => code)).toEqual([0, 0]);
    expect(scene.log("one").match(/server is listening/g)).toHaveLength(1);
    const ports = ["one", "two", "three"].map((slug) => scene.state(slug).port);
    expect(new Set(ports).size).toBe(3);
    expect(["one", "two", "three"].every((slug) => isUp(statusNow(scene.home, slug)))).toBe(true);
    const stops = await Promise.all([scene.run("stop", "all"), scene.run("stop", "all")]);
    expect(stops.map(({ code }) => code)).toEqual([0, 0]);
    expect((await scene.run("status")).err).toContain("No model runs");
  },
  LONG_MS,
);

test(
  "[F14] settings changed by several at once are all there",
  async () => {
    await using scene = new Scene();
    const changes = [
      ["gpu-layers", "7"],
      ["context-size", "4096"],
      ["proxy-url", "http://127.0.0.1:1"],
      ["provider", "p"],
      ["max-concurrency", "3"],
    ];
    await Promise.all(changes.map((change) => scene.run("config", "set", ...change)));
    const shown: unknown = JSON.parse((await scene.run("config", "list", "--json")).out);
    expect(shown).toMatchObject({ settings: Object.fromEntries(changes) });
  },
  LONG_MS,
);

test(
  "[F13] one that cannot be stopped keeps none of the others running",
  async () => {
    await using scene = new Scene();
    await scene.imports("mine");
    await scene.run("run", "mine");
    const { model } = scene.state("mine");
    const damaged = join(scene.home.state, "another.json");
    writeFileSync(damaged, "{");
    const { code, out, err } = await scene.run("stop", "all");
    rmSync(damaged);
    expect(err).toContain(`${damaged} is damaged`);
    expect(out).toBe("mine: stopped\n");
    expect(code).toBe(1);
    expect(isAlive(model)).toBe(false);
  },
  LONG_MS,
);
