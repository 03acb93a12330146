// While a model starts: whoever waits may go, somebody else may stop it, and who asks for it differently is told.
import { expect, test } from "bun:test";
import { isAlive } from "../../src/llamafile/identity.ts";
import { isUp, statusNow } from "../../src/llamafile/run-state.ts";
import { until } from "../support/until.ts";
import { Scene } from "./scene.ts";

const LONG_MS = 30_000;

test(
  "[F10] a stop signal ends the waiting alone, and says so",
  async () => {
    await using scene = new Scene();
    await scene.imports("mine");
    await using waiting = scene.start("run", "mine", "--", "--load-ms", "3600000");
    await until(() => isUp(statusNow(scene.home, "mine")) && scene.state("mine").model !== null, "it starts");
    waiting.signal("SIGINT");
    expect(await waiting.exit()).toBe(130);
    expect(waiting.err).toEndWith("mine goes on starting; 'modelrelay llamafile stop mine' ends it\n");
    expect(isAlive(scene.state("mine").model)).toBe(true);
  },
  LONG_MS,
);

test(
  "[F10] a model that somebody stops while it loads is told as that, and not as one that failed",
  async () => {
    await using scene = new Scene();
    await scene.imports("mine");
    await using waiting = scene.start("run", "mine", "--", "--load-ms", "3600000");
    await until(() => isUp(statusNow(scene.home, "mine")) && scene.state("mine").model !== null, "it starts");
    expect((await scene.run("stop", "mine")).out).toBe("mine: stopped\n");
    expect(await waiting.exit()).toBe(1);
    expect(waiting.err).toBe("mine: loading\nmodelrelay: mine was stopped before it answered\n");
  },
  LONG_MS,
);

test(
  "[F10] a model that runs with other arguments or settings than are asked for is told so",
  async () => {
    await using scene = new Scene();
    await scene.imports("mine");
    await scene.run("run", "mine", "--context-size", "512", "--", "--temp", "0.5");
    const same = await scene.run("run", "mine", "--context-size", "512", "--", "--temp", "0.5");
    expect(same).toMatchObject({ code: 0, err: "", out: expect.stringContaining("mine runs already at") as unknown });
    for (const words of [
      ["--context-size", "1024", "--", "--temp", "0.5"],
      ["--context-size", "512"],
    ]) {
      const { code, err } = await scene.run("run", "mine", ...words);
      expect(err).toContain("mine was started with other settings or arguments; to have these, 'modelrelay llamafile stop mine' first");
      expect(code).toBe(0);
    }
  },
  LONG_MS,
);
