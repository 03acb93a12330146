// The first frame of a worker: what is accepted, what is changed and said so, and what closes the socket.
import { expect, test } from "bun:test";
import { ManualClock } from "../support/manual-clock.ts";
import { RelaySocket } from "../support/relay-socket.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { startV1Worker } from "../support/v1-worker.ts";
import { startV2Worker } from "../support/v2-worker.ts";

const V1 = "2026-04-bridge-v1";
const V2 = "2026-11-bridge-v2";
const GOOD = { type: "register", worker_name: "box", models: ["m"], max_concurrent: 1 };

const BAD: ReadonlyMap<string, string | Uint8Array> = new Map<string, string | Uint8Array>([
  ["no JSON", "register me"],
  ["JSON that is no object", "[]"],
  ["another type", JSON.stringify({ type: "pong", current_load: 0 })],
  ["a missing field", JSON.stringify({ ...GOOD, models: undefined })],
  ["models that are no strings", JSON.stringify({ ...GOOD, models: [1] })],
  ["negative slots", JSON.stringify({ ...GOOD, max_concurrent: -1 })],
  ["slots and a half", JSON.stringify({ ...GOOD, max_concurrent: 1.5 })],
  ["another protocol version", JSON.stringify({ ...GOOD, protocol_version: "2031-01-bridge-v9" })],
  ["the v2 version as the only one", JSON.stringify({ ...GOOD, protocol_version: V2 })],
  ["a binary frame", Buffer.from(JSON.stringify(GOOD))],
  ["far too many bytes", JSON.stringify({ ...GOOD, models: Array.from({ length: 20_000 }, (_, index) => `model-${index}`) })],
]);

for (const [what, frame] of BAD) {
  test(`[L2] a first frame that is ${what} closes with 1002`, async () => {
    await using relay = startTestRelay();
    await using socket = new RelaySocket(relay);
    await socket.opened;
    socket.sendRaw(frame);
    expect((await socket.closedByRelay()).code).toBe(1002);
    expect(relay.hub.fleet.workers.size).toBe(0);
  });
}

test("[L2] no first frame within 5 s closes with 1002", async () => {
  const clock = new ManualClock();
  await using relay = startTestRelay({}, { clock });
  await using socket = new RelaySocket(relay);
  await using registered = await startV1Worker(relay);
  await socket.opened;
  clock.advance(4_999);
  expect(socket.end).toBeNull();
  clock.advance(1);
  expect(await socket.closedByRelay()).toEqual({ code: 1002, reason: "worker registration protocol error" });
  expect(registered.end).toBeNull();
});

test("[L2] a v1 worker gets v1, with or without its version; one that also offers v2 gets v2", async () => {
  await using relay = startTestRelay();
  await using old = await startV1Worker(relay);
  await using silent = await startV1Worker(relay, { register: { protocol_version: undefined } });
  await using both = await startV2Worker(relay);
  await using future = await startV2Worker(relay, { register: { protocols: ["2031-01-bridge-v9", V2], unheard_of: { deep: [1] } } });
  await using other = await startV1Worker(relay, { register: { protocols: ["2031-01-bridge-v9"] } });
  const versions = [old, silent, both, future, other].map((worker) => worker.of("register_ack")[0]?.["protocol_version"]);
  expect(versions).toEqual([V1, V1, V2, V2, V1]);
});

test("[L3] names are trimmed, empty and repeated ones dropped, slots raised to 1, and each change is said", async () => {
  await using relay = startTestRelay();
  const models = [" a ", "", "b", "a", "  ", "b", "x".repeat(257), "*"];
  await using worker = await startV1Worker(relay, { name: "  ", models, slots: 0 });
  const ack = worker.of("register_ack")[0];
  expect(ack?.["models"]).toEqual(["a", "b", "*"]);
  expect(ack?.["warnings"]).toEqual([
    "dropped 2 empty model name(s)",
    "dropped 2 repeated model name(s)",
    "dropped 1 model name(s) longer than 256 characters",
    'the worker name is empty: it is shown as "worker"',
    "max_concurrent 0 was raised to 1",
  ]);
  const [info] = [...relay.hub.fleet.workers.values()].map((connected) => connected.info);
  expect(info).toMatchObject({ name: "worker", slots: 1, models: ["a", "b", "*"] });
});

test("[L3] number of models, slots and length of the name are capped; nothing left is said too", async () => {
  await using relay = startTestRelay();
  const models = Array.from({ length: 300 }, (_, index) => `m${index}`);
  await using many = await startV2Worker(relay, { name: "n".repeat(200), models, slots: 1_000_000 });
  const ack = many.of("register_ack")[0];
  expect(ack?.["models"]).toEqual(models.slice(0, 256));
  expect(ack?.["max_concurrent"]).toBe(4_096);
  expect(ack?.["warnings"]).toEqual([
    "kept the first 256 models and dropped 44",
    "the worker name was cut to 128 characters",
    "max_concurrent was lowered to 4096",
  ]);
  await using none = await startV2Worker(relay, { models: [" "] });
  expect(none.of("register_ack")[0]?.["warnings"]).toContain("no routable model is left: this worker gets no requests");
});

test("[L3] a clean registration has no warnings", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay);
  expect(worker.of("register_ack")[0]?.["warnings"]).toEqual([]);
});

test("[L3] models_update is cleaned the same way, unlisted names included", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { models: ["a"] });
  worker.send({ type: "models_update", models: [" b ", "b", "c", "default"], unlisted_models: [" default "], current_load: 0 });
  const response = relay.post("/v1/chat/completions", { model: "default" });
  (await worker.nextJob()).answer();
  expect((await response).status).toBe(200);
  expect(relay.hub.fleet.catalogue.models()).toEqual(["b", "c"]);
});

test("[L3] a second register changes nothing", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { models: ["a"] });
  worker.send({ ...GOOD, models: ["b"] });
  const response = relay.post("/v1/chat/completions", { model: "a" });
  (await worker.nextJob()).answer();
  expect((await response).status).toBe(200);
  expect(relay.hub.fleet.workers.size).toBe(1);
  expect(relay.hub.fleet.catalogue.models()).toEqual(["a"]);
});
