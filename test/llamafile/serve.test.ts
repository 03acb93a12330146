// A model served for others: from a client through a real relay and its worker to the llamafile, and back.
import { expect, test } from "bun:test";
import { readFileSync, readdirSync } from "node:fs";
import { isAlive, signalProcess } from "../../src/llamafile/identity.ts";
import { statusNow } from "../../src/llamafile/run-state.ts";
import { Rig } from "../processes/rig.ts";
import { until } from "../support/until.ts";
import { byPath, fileOf, says, startFileServer } from "./file-server.ts";
import { catalogueOf, entryOf, Scene } from "./scene.ts";

const LONG_MS = 60_000;
// As the relay of the rig has it.
const SECRET = "processes-secret";

test(
  "[F15] serve relays the model with what config holds; the secret is on no command line, and not the model's",
  async () => {
    await using scene = new Scene();
    await using rig = new Rig();
    const relay = await rig.relay();
    await scene.imports("mine");
    expect((await scene.run("serve", "mine")).err).toContain("'modelrelay llamafile config set proxy-url URL'");
    await scene.run("config", "set", "proxy-url", relay.url);
    expect(await scene.run("serve", "mine")).toMatchObject({
      code: 2,
      // Read from the standard input, as a word would stay in the shell's history.
      err: expect.stringMatching(
        /the relay's worker secret is needed: .*'modelrelay llamafile config set worker-secret < FILE'/,
      ) as unknown,
    });
    await scene.run("config", "set", "worker-secret", SECRET);
    const served = await scene.run("serve", "mine");
    expect(served.out).toContain("mine is relayed by http://127.0.0.1:");
    expect(served.code).toBe(0);

    const body = { model: "mine", stream: true, messages: [{ role: "user", content: "Are you there?" }] };
    const answer = await fetch(relay.at("/v1/chat/completions"), { method: "POST", body: JSON.stringify(body) });
    const text = await answer.text();
    expect(text).toContain("Are you there?".split(" ")[0]!);
    expect(text.trim()).toEndWith("data: [DONE]");
    const tested = await scene.run("test", "mine");
    expect(tested.out).toMatch(/^directly .*answered[\s\S]*^through the relay .*answered/m);
    expect(tested.code).toBe(0);
    expect((await scene.run("status")).out).toMatch(/^mine +serving +http:\/\/127\.0\.0\.1:\d+ +http:/m);

    const { keeper, model, worker } = scene.state("mine");
    const lines = [keeper, model, worker].map((each) => readFileSync(`/proc/${each?.pid}/cmdline`, "utf8"));
    expect(lines.filter((line) => line.includes(SECRET))).toEqual([]);
    expect(lines.filter((line) => line.includes("mine"))).toHaveLength(3);
    expect(readFileSync(`/proc/${model?.pid}/environ`, "utf8")).not.toContain(SECRET);
    const written = readdirSync(scene.home.state, { withFileTypes: true }).filter((each) => each.isFile());
    expect(written.filter(({ name }) => readFileSync(`${scene.home.state}/${name}`, "utf8").includes(SECRET))).toEqual([]);
    expect(scene.log("mine") + scene.log("mine", "worker")).not.toContain(SECRET);

    expect((await scene.run("stop", "mine")).out).toBe("mine: stopped\n");
    expect([keeper, model, worker].map(isAlive)).toEqual([false, false, false]);
    expect(scene.log("mine", "worker")).toContain("graceful shutdown");
    await relay.has(0);
  },
  LONG_MS,
);

test(
  "[F15] a secret that the relay refuses is told with what the worker said, and it tries on; test says which way fails",
  async () => {
    await using scene = new Scene();
    await using rig = new Rig();
    const relay = await rig.relay();
    await scene.imports("mine");
    scene.env = { WORKER_SECRET: "not-this-one", PROXY_URL: relay.url };
    const { code, err } = await scene.run("serve", "mine");
    expect(err).toContain("relay refused this worker");
    expect(err).toContain("the worker of mine is not registered at");
    expect(code).toBe(1);
    const tested = await scene.run("test", "mine", "--timeout", "3");
    expect(tested.out).toContain("directly");
    expect(tested.err).toContain("through the relay: failed:");
    expect(tested.code).toBe(1);
    expect((await scene.run("serve", "mine")).out).toContain("mine runs already at");
    expect((await scene.run("serve", "mine", "--proxy-url", "http://127.0.0.1:1")).err).toContain("is relayed by http://127.0.0.1:");
  },
  LONG_MS,
);

test(
  "[F15] a relay that wants another key than test gave is told with the flag for it",
  async () => {
    await using scene = new Scene();
    await using rig = new Rig();
    const relay = await rig.relay(["--require-api-keys", "--admin-token=a-token-of-enough-length", "--data-dir=:memory:"]);
    await scene.imports("mine");
    scene.env = { WORKER_SECRET: SECRET, PROXY_URL: relay.url };
    expect((await scene.run("serve", "mine")).code).toBe(0);
    const none = await scene.run("test", "mine");
    expect(none.err).toMatch(/through the relay: failed: \S+ answered 401 .*; give a key of the relay with --api-key-file PATH/);
    const wrong = await scene.run("test", "mine", "--api-key", "mr-not-this-one");
    expect(wrong.err).toContain("; give another key of the relay with --api-key-file PATH");
    expect([none.code, wrong.code]).toEqual([1, 1]);
  },
  LONG_MS,
);

test(
  "[F15] a model whose worker ends, or which runs without one, is not called served",
  async () => {
    await using scene = new Scene();
    await using rig = new Rig();
    const relay = await rig.relay();
    await scene.imports("mine");
    scene.env = { WORKER_SECRET: SECRET, PROXY_URL: relay.url };
    await scene.run("run", "mine");
    expect((await scene.run("serve", "mine")).err).toContain(
      "mine runs already, but is not relayed; 'modelrelay llamafile stop mine' first",
    );
    await scene.run("stop", "mine");
    await scene.run("serve", "mine");
    signalProcess(scene.state("mine").worker, "SIGKILL");
    await until(() => statusNow(scene.home, "mine").kind === "crashed", "it is written down as crashed");
    expect((await scene.run("status")).out).toContain("crashed (its worker, ended by SIGKILL), see logs");
  },
  LONG_MS,
);

test(
  "[F16] restart starts it with the same port, arguments, relay and provider, but for what its flags say",
  async () => {
    await using scene = new Scene();
    await using rig = new Rig();
    const relay = await rig.relay(["--provider", "lab"]);
    await scene.imports("mine");
    expect((await scene.run("restart", "mine")).err).toContain("mine was not started");
    scene.env = { WORKER_SECRET: SECRET };
    await scene.run("serve", "mine", "--proxy-url", relay.url, "--provider", "lab", "--max-concurrency", "3", "--", "--temp", "0.7");
    const before = scene.state("mine");
    const again = await scene.run("restart", "mine");
    expect(again.code).toBe(0);
    const after = scene.state("mine");
    expect(after).toMatchObject({ port: before.port, args: ["--temp", "0.7"], proxy_url: before.proxy_url, max_concurrency: 3 });
    expect(after.model?.pid).not.toBe(before.model?.pid);
    expect(isAlive(before.model)).toBe(false);
    expect(after.provider).toBe("lab");
    expect(await scene.run("restart", "mine", "--max-concurrency", "5")).toMatchObject({ code: 0 });
    const changed = scene.state("mine");
    expect(changed).toMatchObject({ port: before.port, provider: "lab", max_concurrency: 5 });
    scene.env = {};
    expect(await scene.run("restart", "mine")).toMatchObject({ code: 2 });
    expect(isAlive(changed.model)).toBe(true);
  },
  LONG_MS,
);

test(
  "[F15] a model that is not here yet is downloaded first",
  async () => {
    await using scene = new Scene();
    const program = readFileSync(scene.standIn("m"));
    await using server = await startFileServer(
      byPath({ "/m": says(200, program.toString(), { "content-length": String(program.length) }) }),
    );
    await using catalogue = await startFileServer(says(200, catalogueOf(entryOf("m", `${server.url}/m`, fileOf(100).length))));
    await scene.run("update-catalog", "--url", `${catalogue.url}/c.json`);
    const started = await scene.run("run", "m");
    expect(started.out).toContain("m runs at");
    expect(server.asked).toHaveLength(1);
    expect((await scene.run("list")).out).toMatch(/^m .*running$/m);
  },
  LONG_MS,
);
