// The traces in docs/protocol.md are what really crosses the wire: each flow is played with a real relay, and written down between it and its worker.
import { test } from "bun:test";
import type { ServeConfig } from "../../src/server/config.ts";
import { after, politely, unary } from "../support/fake-backend-answers.ts";
import { startFakeBackend, type FakeBackend } from "../support/fake-backend.ts";
import { type TestRelay, startTestRelay } from "../support/running-relay.ts";
import { startTestWorker, type TestWorker } from "../support/running-worker.ts";
import { startV1Worker, type V1Worker } from "../support/v1-worker.ts";
import { failureOf } from "../support/until.ts";
import { expectMade } from "./documents.ts";
import { WireTap } from "./wire-tap.ts";

const CHAT = "/v1/chat/completions";
const MESSAGES = [{ role: "user", content: "Hi" }];
const chat = (stream: boolean) => ({ model: "m", stream, messages: MESSAGES });
const ADMIN = "an admin token for the traces";

interface Scene extends AsyncDisposable {
  readonly relay: TestRelay;
  readonly backend: FakeBackend;
  readonly tap: WireTap;
  /** What ends with the scene. */
  readonly cast: AsyncDisposable[];
}

function openScene(settings: Partial<ServeConfig> = {}): Scene {
  const relay = startTestRelay({ adminToken: ADMIN, ...settings });
  const backend = startFakeBackend(politely(["m"], ["Hi"]));
  const tap = new WireTap(relay.url);
  const cast: AsyncDisposable[] = [];
  return {
    relay,
    backend,
    tap,
    cast,
    async [Symbol.asyncDispose]() {
      for (const member of cast) await member[Symbol.asyncDispose]();
      await relay[Symbol.asyncDispose]();
      await tap[Symbol.asyncDispose]();
      await backend.stop();
    },
  };
}

async function joinWorker(
  { relay, backend, tap, cast }: Scene,
  settings: { readonly models?: readonly string[] | null } = {},
): Promise<TestWorker> {
  const worker = startTestWorker({
    relay: tap,
    backend: { url: new URL(backend.url) },
    workerName: "gpu-1",
    maxConcurrency: 2,
    ...settings,
  });
  cast.push(worker);
  await relay.workers(1);
  await tap.sees("register_ack");
  return worker;
}

async function joinV1({ relay, tap, cast }: Scene): Promise<V1Worker> {
  const worker = await startV1Worker(tap, { name: "gpu-1", models: ["m"], slots: 2 });
  cast.push(worker);
  await relay.workers(1);
  return worker;
}

function show(name: string, tap: WireTap, notes: Readonly<Record<string, string>> = {}): void {
  expectMade("docs/protocol.md", `trace ${name}`, `\`\`\`\n${tap.trace(notes)}\n\`\`\``);
}

/** A gate that an answer waits behind. */
function gate(): { readonly promise: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { promise, open: resolve };
}

test("[M3] trace: a worker connects", async () => {
  await using scene = openScene();
  await joinWorker(scene);
  show("connecting", scene.tap);
});

test("[M3] trace: a worker is refused", async () => {
  await using scene = openScene();
  scene.cast.push(startTestWorker({ relay: scene.tap, backend: { url: new URL(scene.backend.url) }, workerSecret: "another secret" }));
  await scene.tap.sees("close");
  show("refused", scene.tap);
});

test("[M3] trace: a stream", async () => {
  await using scene = openScene();
  await joinWorker(scene);
  scene.tap.begin();
  const half = gate();
  scene.backend.answer = async (exchange) => {
    const stream = await exchange.stream();
    await stream.send(`data: ${"x".repeat(160 * 1024)}\n\n`);
    await half.promise;
    await stream.send("data: [DONE]\n\n");
    await stream.end();
  };
  const answer = (await scene.relay.post(CHAT, chat(true))).text();
  await scene.tap.sees("credit");
  half.open();
  await answer;
  await scene.tap.sees("response_end");
  show("stream", scene.tap, { body: "the request's body, as the client sent it", credit: "the client took half a window" });
});

test("[M3] trace: an answer in one piece", async () => {
  await using scene = openScene();
  await joinWorker(scene);
  scene.tap.begin();
  await (await scene.relay.post(CHAT, chat(false))).text();
  await scene.tap.sees("response_end");
  show("whole", scene.tap);
});

test("[M3] trace: a client hangs up", async () => {
  await using scene = openScene();
  await joinWorker(scene);
  scene.tap.begin();
  const aborting = new AbortController();
  scene.backend.answer = async (exchange) => {
    const stream = await exchange.stream();
    await stream.send("data: 1\n\n");
    await exchange.closedByPeer;
  };
  const response = await scene.relay.post(CHAT, chat(true), { signal: aborting.signal });
  const reader = response.body!.getReader();
  await reader.read();
  aborting.abort();
  await failureOf(reader.read());
  await scene.tap.sees("cancelled");
  show("cancel", scene.tap, { cancelled: "the backend's connection is closed, the slot is free" });
});

test("[M3] trace: a backend is down", async () => {
  await using scene = openScene({ queueTimeoutMs: 1_000 });
  await joinWorker(scene);
  scene.tap.begin();
  await scene.backend.stop();
  await (await scene.relay.post(CHAT, chat(false))).text();
  await scene.tap.sees("response_end");
  show("backend-down", scene.tap, { response_end: "the worker pauses, the request goes to another, or ends with 502 backend_error" });
});

test("[M3] trace: a worker dies, another one takes its request", async () => {
  await using scene = openScene();
  await joinWorker(scene);
  scene.tap.begin();
  const never = gate();
  scene.backend.answer = after(never.promise, unary(200, "{}"));
  const answer = scene.relay.post(CHAT, chat(false)).then((response) => response.text());
  await scene.backend.nextExchange();
  // The first socket goes without a word, as when its machine does.
  scene.tap.cut();
  scene.backend.answer = unary(200, "{}");
  await answer;
  await scene.tap.sees("response_end");
  never.open();
  show("worker-dies", scene.tap, { register: "the same worker, back again: with the same instance_id" });
});

test("[M3] trace: models change", async () => {
  await using scene = openScene();
  let models = ["m"];
  scene.backend.answer = (exchange) => politely(models, ["Hi"])(exchange);
  await joinWorker(scene, { models: null });
  scene.tap.begin();
  models = ["m", "n"];
  const id = [...scene.relay.hub.fleet.workers.keys()][0]!;
  const headers = { authorization: `Bearer ${ADMIN}` };
  await fetch(scene.relay.at(`/admin/workers/${id}/refresh`), { method: "POST", headers });
  await scene.tap.sees("models_update");
  show("models", scene.tap, {
    models_refresh: "an operator asked for it",
    models_update: "also by itself, when the backend's list changes",
  });
});

test("[M3] trace: heartbeat", async () => {
  await using scene = openScene({ heartbeatIntervalMs: 200 });
  await joinWorker(scene);
  scene.tap.begin();
  scene.tap.watchHeartbeat();
  await scene.tap.sees("pong");
  show("heartbeat", scene.tap);
});

test("[M3] trace: a worker is stopped", async () => {
  await using scene = openScene();
  const worker = await joinWorker(scene);
  const held = gate();
  scene.backend.answer = after(held.promise, unary(200, "{}"));
  const answer = scene.relay.post(CHAT, chat(false)).then((response) => response.text());
  await scene.backend.nextExchange();
  scene.tap.begin();
  worker.drain();
  await scene.tap.sees("draining");
  held.open();
  await Promise.all([answer, worker.finished]);
  await scene.tap.sees("close");
  show("worker-stopped", scene.tap, { draining: "no new requests from here on; what runs may finish" });
});

test("[M3] trace: the relay is stopped", async () => {
  await using scene = openScene();
  await joinWorker(scene);
  scene.tap.begin();
  await scene.relay.drain();
  await scene.tap.sees("close");
  show("relay-stopped", scene.tap);
});

test("[M3] trace: v1, a worker connects", async () => {
  await using scene = openScene();
  await joinV1(scene);
  show("v1-connecting", scene.tap);
});

test("[M3] trace: v1, a stream and an answer in one piece", async () => {
  await using scene = openScene();
  const worker = await joinV1(scene);
  scene.tap.begin();
  const streamed = scene.relay.post(CHAT, chat(true)).then((response) => response.text());
  const job = await worker.nextJob();
  job.chunk('data: {"choices":[]}\n\n');
  job.chunk("data: [DONE]\n\n");
  job.complete(200, { headers: { "content-type": "text/event-stream" } });
  await streamed;
  show("v1-stream", scene.tap, { response_complete: "the status and the headers come last" });
  scene.tap.begin();
  const whole = scene.relay.post(CHAT, chat(false)).then((response) => response.text());
  (await worker.nextJob()).complete(200, { headers: { "content-type": "application/json" }, body: '{"choices":[]}' });
  await whole;
  show("v1-whole", scene.tap);
});

test("[M3] trace: v1, a client hangs up", async () => {
  await using scene = openScene();
  const worker = await joinV1(scene);
  scene.tap.begin();
  const aborting = new AbortController();
  const response = scene.relay.post(CHAT, chat(true), { signal: aborting.signal });
  const job = await worker.nextJob();
  job.chunk("data: 1\n\n");
  const reader = (await response).body!.getReader();
  await reader.read();
  aborting.abort();
  await failureOf(reader.read());
  await scene.tap.sees("pong");
  show("v1-cancel", scene.tap, { pong: "a load of 1: it still counts the request. The relay asks again until it does not" });
});

test("[M3] trace: v1, a request fails", async () => {
  await using scene = openScene({ queueTimeoutMs: 200 });
  const worker = await joinV1(scene);
  scene.tap.begin();
  const answer = scene.relay.post(CHAT, chat(false));
  const job = await worker.nextJob();
  worker.send({ type: "error", request_id: job.id, code: "backend_error", message: "connection refused" });
  await (await answer).text();
  show("v1-error", scene.tap, { error: "nothing of an answer had come: the request goes to another worker, or ends with an error" });
});

test("[M3] trace: v1, the relay is stopped", async () => {
  await using scene = openScene();
  const worker = await joinV1(scene);
  scene.tap.begin();
  const drained = scene.relay.drain();
  await scene.tap.sees("graceful_shutdown");
  worker.close(1000, "graceful shutdown complete");
  await drained;
  await scene.tap.sees("close");
  show("v1-relay-stopped", scene.tap);
});
