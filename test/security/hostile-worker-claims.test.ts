// Hostile claims: who a worker says it is, what it says it offers, and how loudly and how often it says so.
import { expect } from "bun:test";
import { RelaySocket } from "../support/relay-socket.ts";
import { until } from "../support/until.ts";
import { bearer, refusalOf, ADMIN_TOKEN } from "./rig.ts";
import { attack, CHAT, type Scene } from "./scene.ts";

async function listed({ relay }: Scene): Promise<readonly string[]> {
  const list: { data: { id: string }[] } = JSON.parse(await (await fetch(relay.at("/v1/models"))).text());
  return list.data.map(({ id }) => id);
}

async function stillHonest({ relay, honest }: Scene): Promise<void> {
  const response = relay.post(CHAT, { model: "honest-2" });
  (await honest.new.nextJob()).answer('"honest"');
  expect(await (await response).json()).toBe("honest");
}

attack("a worker key that claims other models, all models or a neighbour's gets its own and no request beyond", async (scene) => {
  const claims = ["honest-1", "honest-2", "*", "evil-1", "EVIL-2", "evil"];
  const evil = await scene.keyed({ models: ["evil-*"] }, { models: claims, slots: 4_096 });
  expect(evil.of("register_ack")[0]?.["models"]).toEqual(["evil-1"]);
  for (let round = 0; round < 3; round++) {
    evil.send({ type: "models_update", models: claims, unlisted_models: claims, current_load: 0 });
    await stillHonest(scene);
  }
  expect(evil.jobs).toEqual([]);
});

attack("a worker key that claims more slots than its own gets its own", async (scene) => {
  const evil = await scene.keyed({ maxSlots: 1 }, { slots: 4_096 });
  expect(evil.of("register_ack")[0]?.["max_concurrent"]).toBe(1);
  const responses = [scene.ask(), scene.ask(), scene.ask()];
  await scene.relay.requests(5);
  for (let served = 1; served <= 3; served++) {
    const job = await evil.nextJob();
    await scene.flow();
    expect(evil.jobs).toHaveLength(served);
    job.answer();
  }
  for (const response of responses) expect((await response).status).toBe(200);
});

attack("a worker key of another provider, whatever provider it names", async ({ relay, secured, owns }) => {
  const secret = await secured.secret({ scopes: ["worker"], provider: "theirs" });
  for (const provider of ["local", "theirs", "", "LOCAL", "local%00", "..", "x".repeat(5_000)]) {
    const socket = owns(new RelaySocket(relay, { secret, query: `?provider=${provider}` }));
    expect((await socket.closedByRelay()).code).toBe(1008);
  }
  for (const { fields } of relay.log.of("worker rejected")) expect(String(fields["provider"]).length).toBeLessThanOrEqual(64);
});

attack("a client's key, an operator's key and no key at all", async ({ relay, secured, owns }) => {
  const secrets = [await secured.secret(), await secured.secret({ scopes: ["admin"] }), ADMIN_TOKEN, "", "mr-", `mr-${"a".repeat(43)}`];
  for (const secret of secrets) {
    const socket = owns(new RelaySocket(relay, { secret }));
    socket.opened.then(() => socket.send({ type: "register", worker_name: "x", models: ["honest-1"], max_concurrent: 1 })).catch(() => {});
    expect(await socket.closedByRelay()).toEqual({ code: 1008, reason: "worker authentication failed" });
    expect(socket.messages).toEqual([]);
  }
});

const NAMES: readonly string[] = [
  "honest new",
  "<script>alert(1)</script>",
  "\u001b[2J\u001b[31mgone",
  "a\r\nset-cookie: x=1\r\n\r\nHTTP/1.1 200 OK",
  "a\u0000b\u0007\u009b31m",
  "\u202egnp.exe\u2028\u2029",
  "\ud800 half a character",
  `${"x".repeat(127)}🚀`,
  "__proto__",
  "constructor",
  "%0d%0aset-cookie:x",
  "🚀 für alle",
];

attack("names with markup, control characters, half characters or another worker's name", async ({ relay, v1, v2, ask }) => {
  for (const name of NAMES) {
    for (const start of [v1, v2]) {
      const evil = await start({ name });
      const response = ask();
      const job = await evil.nextJob();
      if ("attempt" in job) job.answer();
      else job.complete(200, { body: "{}" });
      const answer = await response;
      expect([name, answer.status]).toEqual([name, 200]);
      expect(answer.headers.get("x-modelrelay-worker")).toMatch(/^[\w.!~*'()%-]+$/);
      expect(answer.headers.get("set-cookie")).toBeNull();
      const shown = await fetch(relay.at("/admin/workers"), { headers: bearer(ADMIN_TOKEN) });
      expect(shown.headers.get("content-type")).toContain("application/json");
      expect(await shown.json()).toMatchObject({ workers: expect.any(Array) });
      evil.close();
      await relay.workers(2);
    }
  }
});

const MODELS: readonly string[] = [
  "__proto__",
  "constructor",
  "prototype",
  "hasOwnProperty",
  "toString",
  "\u001b[31mred",
  "a\nb",
  "<img src=x onerror=alert(1)>",
  "a/b:c@d?e#f",
  "../../etc/passwd",
  "\ud800",
  "🚀",
  "null",
  "x".repeat(256),
];

attack("models with the names of object members, markup or control characters are models like others", async (scene) => {
  const { relay, v2 } = scene;
  const evil = await v2({ models: MODELS });
  expect(await listed(scene)).toEqual(expect.arrayContaining(["__proto__", "constructor", "toString"]));
  for (const model of MODELS) {
    const response = relay.post(CHAT, { model });
    const job = await evil.nextJob();
    const stats: { queue_depth_by_model: object } = JSON.parse(
      await (await fetch(relay.at("/admin/stats"), { headers: bearer(ADMIN_TOKEN) })).text(),
    );
    expect(stats.queue_depth_by_model).toEqual({});
    job.answer();
    expect([model, (await response).status]).toEqual([model, 200]);
    if (!model.isWellFormed()) continue;
    const one = await fetch(relay.at(`/v1/models/${encodeURIComponent(model)}`));
    // A model whose escapes no path may hold is in the list all the same.
    expect([200, 400]).toContain(one.status);
  }
  evil.send({ type: "models_update", models: [], current_load: 0 });
  await until(() => relay.hub.fleet.catalogue.models().length === 2, "the models are gone");
});

attack(
  "a model of such a name that nobody offers is one that nobody offers",
  async ({ relay, v2 }) => {
    await v2({ models: ["evil"] });
    for (const model of MODELS) {
      expect(await refusalOf(await relay.post(CHAT, { model }))).toEqual([404, "model_not_found", null]);
    }
    const waiting = relay.post(CHAT, { model: "__proto__" });
    expect((await waiting).status).toBe(404);
  },
  { relay: { modelGraceMs: 0 } },
);

attack("requests that wait for such a model are counted under its name", async (scene) => {
  const { relay, v2 } = scene;
  const evil = await v2({ models: ["__proto__", "constructor"], slots: 1 });
  const responses = ["__proto__", "__proto__", "constructor"].map((model) => relay.post(CHAT, { model }));
  await relay.requests(5);
  const text = await (await fetch(relay.at("/admin/stats"), { headers: bearer(ADMIN_TOKEN) })).text();
  expect(text).toMatch(/"queue_depth_by_model":\{("__proto__":\d|,|"constructor":\d)+\}/);
  for (let served = 0; served < 3; served++) (await evil.nextJob()).answer();
  for (const response of responses) expect((await response).status).toBe(200);
});

attack("slots and loads beyond reason, in both protocols", async ({ v1, v2, ask, flow }) => {
  const evil = await v2({ slots: 2 ** 52, register: { current_load: 2 ** 53 - 1 } });
  expect(evil.of("register_ack")[0]?.["max_concurrent"]).toBe(4_096);
  for (const load of [2 ** 53 - 1, 0, 1_000_000, 0]) evil.pong(load);
  await flow();
  const response = ask();
  (await evil.nextJob()).answer();
  expect((await response).status).toBe(200);
  const old = await v1({ slots: 2 ** 52 });
  old.send({ type: "pong", current_load: 2 ** 53 - 1, timestamp_unix_ms: 1e308 });
  old.send({ type: "pong", current_load: 0, timestamp_unix_ms: -1e308 });
  await flow();
});

attack("loads, slots and stamps that are no numbers close the connection", async ({ relay, v2, owns }) => {
  for (const current_load of ["-1", "1.5", '"many"', "{}", "1e400"]) {
    const evil = await v2({ answersPings: false });
    evil.sendRaw(`{"type":"pong","current_load":${current_load}}`);
    expect((await evil.closedByRelay()).code).toBe(1002);
  }
  for (const max_concurrent of [-1, 1.5, "4", null, [4]]) {
    const socket = owns(new RelaySocket(relay));
    await socket.opened;
    socket.send({ type: "register", worker_name: "x", models: ["evil"], max_concurrent });
    expect((await socket.closedByRelay()).code).toBe(1002);
  }
});

attack("a storm of models_update, each with 256 new names", async (scene) => {
  const { relay, v2, flow } = scene;
  const evil = await v2();
  for (let storm = 0; storm < 200; storm++) {
    const models = Array.from({ length: 300 }, (_, index) => `storm-${storm}-${index}`);
    evil.send({ type: "models_update", models, current_load: storm % 7 });
    if (storm % 50 === 0) await flow();
  }
  await until(() => relay.hub.fleet.catalogue.models().includes("storm-199-0"), "the last update is taken");
  expect(relay.hub.fleet.catalogue.models()).toHaveLength(2 + 256);
});

attack("another worker's instance id: a worker key cannot take its place", async (scene) => {
  const { secured, relay, v2 } = scene;
  const instance = "the-instance-of-the-victim";
  const victim = await v2({ instance, models: ["victim"] });
  const evil = await scene.keyed({}, { instance, models: ["victim"] });
  const second = await scene.keyed({}, { instance, models: ["victim"] });
  await relay.workers(5);
  expect([victim.end, evil.end, second.end]).toEqual([null, null, null]);
  // Nor is an instance shown to anybody who could use it.
  for (const path of ["/health", "/v1/models", "/admin/workers", "/admin/stats", "/"]) {
    const text = await (await fetch(relay.at(path), { headers: bearer(ADMIN_TOKEN) })).text();
    expect([path, text.includes(instance)]).toEqual([path, false]);
  }
  expect(JSON.stringify(relay.log.lines)).not.toContain(instance);
  expect(secured.ring).toBeDefined();
});

attack("the same instance again and again: the newest stays, the others are closed, their requests are served once", async (scene) => {
  const { v2, ask, relay } = scene;
  const workers = [await v2({ instance: "twin" })];
  const response = ask();
  await workers[0]!.nextJob();
  for (let twin = 0; twin < 5; twin++) {
    workers.push(await v2({ instance: "twin" }));
    await relay.workers(3);
    if (twin < 2) await workers.at(-1)!.nextJob();
  }
  for (const worker of workers.slice(0, -1)) expect((await worker.closedByRelay()).code).toBe(1000);
  const answer = await Promise.race([
    response,
    workers
      .at(-1)!
      .nextJob()
      .then((job) => job.answer()),
  ]);
  expect(answer instanceof Response ? answer.status : (await response).status).toBeGreaterThanOrEqual(200);
});
