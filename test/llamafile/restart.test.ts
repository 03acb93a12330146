// `llamafile restart`: the same again, even where the settings or the machine have changed in between, and nothing lost where that fails.
import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { isGone, signalProcess } from "../../src/llamafile/identity.ts";
import { untilPortFree } from "../../src/llamafile/port.ts";
import { until } from "../support/until.ts";
import { Scene } from "./scene.ts";

const LONG_MS = 60_000;

/** As after a crash of the machine; the port that the model had is left. */
async function vanish(scene: Scene, slug: string): Promise<number> {
  const { keeper, model, port } = scene.state(slug);
  for (const each of [keeper, model]) signalProcess(each, "SIGKILL");
  await until(() => isGone(keeper) && isGone(model), "nothing is left");
  expect(await untilPortFree(port, systemClock)).toBe(true);
  return port;
}

function takePort(port: number) {
  return Bun.serve({ hostname: "127.0.0.1", port, fetch: () => new Response("somebody else") });
}

test(
  "[F16] a model whose port somebody else has by now is restarted on another one, and on the same one when it is free",
  async () => {
    await using scene = new Scene();
    await scene.imports("mine");
    await scene.run("run", "mine");
    const port = await vanish(scene, "mine");
    expect(await scene.run("restart", "mine")).toMatchObject({ code: 0 });
    expect(scene.state("mine").port).toBe(port);
    await vanish(scene, "mine");
    const other = takePort(port);
    try {
      const again = await scene.run("restart", "mine");
      expect(again.err).not.toContain("taken");
      expect(again.code).toBe(0);
      expect(scene.state("mine").port).not.toBe(port);
    } finally {
      await other.stop(true);
    }
  },
  LONG_MS,
);

test(
  "[F16] a port that was asked for is kept to; while it is taken nothing is forgotten, and restart can be tried again",
  async () => {
    await using scene = new Scene();
    await scene.imports("mine");
    const first = takePort(0);
    const port = first.port ?? 0;
    await first.stop(true);
    expect((await scene.run("run", "mine", "--port", String(port), "--", "--temp", "0.3")).code).toBe(0);
    await vanish(scene, "mine");
    const other = takePort(port);
    try {
      for (const _ of [1, 2]) {
        const { code, err } = await scene.run("restart", "mine");
        expect(err).toContain(`the port ${port}, which was asked for, is taken by another program now`);
        expect(err).not.toContain("leave off --port");
        expect(code).toBe(1);
      }
      expect((await scene.run("status")).err).toContain("No model runs");
    } finally {
      await other.stop(true);
    }
    expect(await scene.run("restart", "mine")).toMatchObject({ code: 0 });
    expect(scene.state("mine")).toMatchObject({ port, args: ["--temp", "0.3"] });
  },
  LONG_MS,
);

test(
  "[F16] what the settings say since is for new starts, also where nothing was said before",
  async () => {
    await using scene = new Scene();
    await scene.imports("mine");
    await scene.run("config", "set", "default-args", "--", "--temp", "0.5");
    expect((await scene.run("run", "mine", "--", "--load-ms", "1")).code).toBe(0);
    await scene.run("config", "set", "default-args", "--", "--temp", "0.9");
    await scene.run("config", "set", "context-size", "4096");
    await scene.run("config", "set", "gpu-layers", "7");
    const before = scene.log("mine").length;
    expect((await scene.run("restart", "mine")).code).toBe(0);
    const said = /^arguments: (.*)$/m.exec(scene.log("mine").slice(before))?.[1] ?? "";
    expect(said).toEndWith(" --temp 0.5 --load-ms 1");
    expect(said).not.toContain("--ctx-size");
    expect(said).not.toContain("-ngl");
    expect(scene.state("mine")).toMatchObject({ context_size: null, gpu_layers: null });
    // A flag is asked for now.
    expect((await scene.run("restart", "mine", "--context-size", "512")).code).toBe(0);
    expect(scene.state("mine")).toMatchObject({ context_size: 512, gpu_layers: null });
  },
  LONG_MS,
);

test(
  "[F16] a model whose file is gone is not stopped to be restarted",
  async () => {
    await using scene = new Scene();
    await scene.imports("mine");
    await scene.run("run", "mine");
    const { model } = scene.state("mine");
    rmSync(join(scene.home.models, "mine.llamafile"));
    const { code, err } = await scene.run("restart", "mine");
    expect(err).toContain("the file of mine is not there any more, so it could not be started again; nothing is stopped");
    expect(code).toBe(1);
    expect(isGone(model)).toBe(false);
  },
  LONG_MS,
);
