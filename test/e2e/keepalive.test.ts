// A stream that waits long gets its 200 and comments; from then on everything is told in-band.
import { expect, test } from "bun:test";
import { PATHS, streamEvents } from "../support/fake-backend-events.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestRelay, type TestRelay } from "../support/running-relay.ts";
import { SseReader } from "../support/sse-reader.ts";
import { until } from "../support/until.ts";
import { startV2Worker, type V2Worker } from "../support/v2-worker.ts";

const AFTER_MS = 40_000;
const EVERY_MS = 15_000;

interface Rig extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly relay: TestRelay;
  readonly worker: V2Worker;
}

/** One slot, heartbeats out of the way, and a clock that only the test moves. */
async function startRig(settings: Parameters<typeof startTestRelay>[0] = {}): Promise<Rig> {
  const clock = new ManualClock();
  const relay = startTestRelay({ queueTimeoutMs: 0, chunkTimeoutMs: 0, heartbeatIntervalMs: 10_000_000, ...settings }, { clock });
  const worker = await startV2Worker(relay, { slots: 1 });
  return {
    clock,
    relay,
    worker,
    async [Symbol.asyncDispose]() {
      await relay[Symbol.asyncDispose]();
      await worker[Symbol.asyncDispose]();
    },
  };
}

test("[T1] while it waits in the queue the comments say its place; the answer follows byte for byte", async () => {
  await using rig = await startRig();
  const { clock, relay, worker } = rig;
  const ahead = [relay.post("/v1/chat/completions", { model: "m" }), relay.post("/v1/chat/completions", { model: "m" })];
  await relay.requests(2);
  const response = relay.post("/v1/chat/completions", { model: "m", stream: true }, { headers: { "x-request-id": "abc" } });
  await relay.requests(3);
  clock.advance(AFTER_MS);
  const { status, headers } = await response;
  expect(status).toBe(200);
  expect(headers.get("content-type")).toStartWith("text/event-stream");
  expect(headers.get("x-request-id")).toBe("abc");
  const reader = new SseReader(await response);
  expect((await reader.next())?.comments).toEqual(["queued, position 2"]);
  (await worker.nextJob()).answer();
  await ahead[0];
  await relay.requests(2);
  clock.advance(EVERY_MS);
  expect((await reader.next())?.comments).toEqual(["queued, position 1"]);
  (await worker.nextJob()).answer();
  const job = await worker.nextJob();
  clock.advance(EVERY_MS);
  expect((await reader.next())?.comments).toEqual(["keep-alive"]);
  job.startStream();
  job.data(streamEvents("chat").join(""));
  job.end();
  const events = await reader.rest();
  expect(Buffer.concat(events.map((event) => event.bytes)).toString()).toBe(streamEvents("chat").join(""));
  expect(reader.end?.kind).toBe("clean");
  await Promise.all(ahead);
});

test("[T1] before that time nothing is promised: a refusal still has its status", async () => {
  await using rig = await startRig({ queueTimeoutMs: 30_000 });
  const { clock, relay, worker } = rig;
  const running = relay.post("/v1/chat/completions", { model: "m" });
  const job = await worker.nextJob();
  const response = relay.post("/v1/chat/completions", { model: "m", stream: true });
  await relay.requests(2);
  clock.advance(30_000);
  expect((await response).status).toBe(504);
  job.answer();
  await running;
});

test("[T1] a request that does not stream is never promised anything", async () => {
  await using rig = await startRig();
  const { clock, relay, worker } = rig;
  const response = relay.post("/v1/chat/completions", { model: "m" });
  const job = await worker.nextJob();
  clock.advance(AFTER_MS * 3);
  job.answer("{}", 418);
  expect((await response).status).toBe(418);
});

test("[T1] [T2] a stream that falls silent gets comments, but never inside an event", async () => {
  await using rig = await startRig();
  const { clock, relay, worker } = rig;
  using client = await RawClient.connect(relay);
  client.post("/v1/messages", { model: "m", stream: true });
  const job = await worker.nextJob();
  job.startStream();
  job.data("data: 1\n\n");
  await until(() => client.chunkedBody.text === "data: 1\n\n", "the first event");
  clock.advance(EVERY_MS);
  await until(() => client.chunkedBody.text === "data: 1\n\n: keep-alive\n\n", "a comment");
  const half = `data: ${"x".repeat(70_000)}`;
  job.data(half);
  await until(() => client.received.byteLength > 70_000, "half an event too large to be held");
  clock.advance(EVERY_MS * 4);
  job.data("\n\ndata: 2\n\n");
  await until(() => client.chunkedBody.text.endsWith("data: 2\n\n"), "the rest of it");
  expect(client.chunkedBody.text).toBe(`data: 1\n\n: keep-alive\n\n${half}\n\ndata: 2\n\n`);
  clock.advance(EVERY_MS);
  await until(() => client.chunkedBody.text.endsWith(": keep-alive\n\n"), "a comment again");
  job.end();
  await until(() => client.chunkedBody.isTerminated, "the end");
});

test("[T1] a steady stream gets none, and with the interval at 0 there are none at all", async () => {
  await using rig = await startRig({ sseKeepaliveMs: 0 });
  const { clock, relay, worker } = rig;
  const response = relay.post("/v1/chat/completions", { model: "m", stream: true });
  const job = await worker.nextJob();
  clock.advance(AFTER_MS * 5);
  job.startStream();
  job.data("data: 0\n\n");
  const reader = new SseReader(await response);
  await reader.next();
  for (let n = 1; n < 5; n++) {
    clock.advance(EVERY_MS * 2);
    job.data(`data: ${n}\n\n`);
    await reader.next();
  }
  job.end();
  expect(await reader.rest()).toEqual([]);
  expect(reader.bytes.toString()).not.toContain(":k");
  expect(reader.bytes.toString()).toBe("data: 0\n\ndata: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n");
});

for (const dialect of ["chat", "responses", "messages"] as const) {
  test(`[T4] after a promised 200 a refusal is told in-band on ${PATHS[dialect]}, and the connection is destroyed`, async () => {
    await using rig = await startRig({ requestTimeoutMs: 60_000 });
    const { clock, relay, worker } = rig;
    using client = await RawClient.connect(relay);
    client.post(PATHS[dialect], { model: "m", stream: true });
    await worker.nextJob();
    clock.advance(AFTER_MS);
    await until(() => client.chunkedBody.text === ": keep-alive\n\n", "the first comment");
    clock.advance(20_000);
    await until(() => client.text.includes("did not answer in time"), "the failure in-band");
    clock.advance(1_000);
    await client.closed();
    const { text, isTerminated } = client.chunkedBody;
    expect(isTerminated).toBe(false);
    const last = text.split("\n\n").at(-2) ?? "";
    if (dialect === "chat") expect(last).toContain('"code":"request_timeout"');
    if (dialect === "responses") expect(last).toMatch(/^event: response\.failed\ndata: .*"status":"failed".*"code":"request_timeout"/);
    if (dialect === "messages") expect(last).toMatch(/^event: error\ndata: \{"type":"error","error":\{"type":"api_error"/);
  });

  test(`[T4] an error of the backend after a promised 200 is told in-band in its own words on ${PATHS[dialect]}`, async () => {
    await using rig = await startRig();
    const { clock, relay, worker } = rig;
    using client = await RawClient.connect(relay);
    client.post(PATHS[dialect], { model: "m", stream: true });
    const job = await worker.nextJob();
    clock.advance(AFTER_MS);
    await until(() => client.chunkedBody.text === ": keep-alive\n\n", "the first comment");
    const error = { message: "too many tokens: ü", type: "invalid_request_error", code: "context_length_exceeded" };
    job.answer(JSON.stringify({ error }), 400);
    await until(() => client.text.includes("too many tokens"), "the failure in-band");
    clock.advance(1_000);
    await client.closed();
    expect(client.chunkedBody.isTerminated).toBe(false);
    const [, name, data] = /(?:event: (.*)\n)?data: (.*)\n\n$/.exec(client.chunkedBody.text) ?? [];
    if (dialect === "responses")
      expect(JSON.parse(data ?? "")).toMatchObject({ response: { error: { code: error.code, message: error.message } } });
    else expect(JSON.parse(data ?? "")).toMatchObject({ error });
    expect(name).toBe({ chat: undefined, responses: "response.failed", messages: "error" }[dialect]);
  });
}

test("[T4] what the backend answered instead of a stream, or with words no client knows, is a backend_error in-band", async () => {
  const answers: readonly (readonly [string, number])[] = [
    ["{}", 200],
    ["<html>canary</html>", 503],
    ["[".repeat(200_000), 500],
  ];
  for (const [body, status] of answers) {
    await using rig = await startRig();
    const { clock, relay, worker } = rig;
    using client = await RawClient.connect(relay);
    client.post("/v1/chat/completions", { model: "m", stream: true });
    const job = await worker.nextJob();
    clock.advance(AFTER_MS);
    await until(() => client.chunkedBody.text === ": keep-alive\n\n", "the first comment");
    job.answer(body, status);
    await until(() => client.text.includes('"code":"backend_error"'), "the failure in-band");
    clock.advance(1_000);
    await client.closed();
    expect(client.text).not.toContain("canary");
  }
});

test("[T4] [C2] a backend that goes on with what is no stream is told to stop once the client was told so", async () => {
  await using rig = await startRig();
  const { clock, relay, worker } = rig;
  using client = await RawClient.connect(relay);
  client.post("/v1/chat/completions", { model: "m", stream: true });
  const job = await worker.nextJob();
  clock.advance(AFTER_MS);
  await until(() => client.chunkedBody.text === ": keep-alive\n\n", "the first comment");
  job.start(200);
  job.data("[".repeat(100_000));
  await until(() => client.text.includes('"code":"backend_error"'), "the failure in-band");
  await until(() => job.isCancelled, "the worker is told to stop");
  clock.advance(1_000);
  await client.closed();
});

test("[T1] [C1] a client that leaves after the promise leaves no timer behind", async () => {
  await using rig = await startRig();
  const { clock, relay, worker } = rig;
  const running = relay.post("/v1/chat/completions", { model: "m" });
  const job = await worker.nextJob();
  const before = clock.pending;
  using client = await RawClient.connect(relay);
  client.post("/v1/chat/completions", { model: "m", stream: true });
  await relay.requests(2);
  clock.advance(AFTER_MS);
  await until(() => client.chunkedBody.text === ": queued, position 1\n\n", "the first comment");
  client.cut();
  await relay.requests(1);
  await until(() => clock.pending === before, `timers back at ${before}, now ${clock.pending}`);
  job.answer();
  await running;
});
