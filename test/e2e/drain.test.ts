// Shutting down, of the relay and of its workers: what runs finishes, what is new goes elsewhere, nothing ends silently.
import { expect, test } from "bun:test";
import { listing, politely } from "../support/fake-backend-answers.ts";
import { streamEvents } from "../support/fake-backend-events.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { SseReader } from "../support/sse-reader.ts";
import { turns, until } from "../support/until.ts";
import { startV1Worker } from "../support/v1-worker.ts";
import { startV2Worker } from "../support/v2-worker.ts";
import { startWholePath } from "../support/whole-path.ts";

test("[X1] [W4] [H13] a draining relay refuses what is new, serves what runs and waits, tells its workers, then closes", async () => {
  await using relay = startTestRelay();
  await using v1 = await startV1Worker(relay, { models: ["old"], slots: 1 });
  await using v2 = await startV2Worker(relay, { models: ["m"], slots: 1 });
  v2.onMessage = ((before) => (message) => {
    before(message);
    if (message.type === "graceful_shutdown") v2.close(1000, "graceful shutdown complete");
  })(v2.onMessage);
  const running = relay.post("/v1/chat/completions", { model: "m", stream: true });
  const job = await v2.nextJob();
  job.startStream();
  job.data("data: 1\n\n");
  const reader = new SseReader(await running);
  await reader.next();
  const waiting = relay.post("/v1/chat/completions", { model: "m" });
  await relay.requests(2);
  const drained = relay.drain();
  const ready = await fetch(relay.at("/readyz"));
  expect([ready.status, await ready.json()]).toEqual([503, { status: "draining" }]);
  expect((await fetch(relay.at("/livez"))).status).toBe(200);
  const refused = await relay.post("/v1/chat/completions", { model: "m" });
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "5"]);
  expect(await refused.json()).toMatchObject({ error: { code: "draining" } });
  expect(v2.of("graceful_shutdown")).toEqual([]);
  job.data("data: 2\n\n");
  job.end();
  expect(await reader.rest()).toHaveLength(1);
  expect(reader.end?.kind).toBe("clean");
  (await v2.nextJob()).answer('"waited"');
  expect(await (await waiting).json()).toBe("waited");
  await drained;
  expect(v2.of("graceful_shutdown")[0]).toMatchObject({ drain_timeout_secs: 30, reconnect_after_secs: 1 });
  expect(v1.of("graceful_shutdown")[0]).toMatchObject({ drain_timeout_secs: 30 });
  expect(v1.of("graceful_shutdown")[0]).not.toHaveProperty("reconnect_after_secs");
  expect(v1.jobs).toHaveLength(0);
  expect((await v1.closedByRelay()).code).toBe(1012);
  expect((await v2.closedByRelay()).code).toBe(1000);
  expect(await fetch(relay.at("/livez")).catch(() => "refused")).toBe("refused");
});

test("[X1] an idle relay is gone at once, and the real worker comes back when a new one listens", async () => {
  await using path = await startWholePath(politely(["m"]));
  const { relay, worker } = path;
  await relay.drain();
  await until(() => worker.status().connection !== "registered", "the worker has left");
  expect(worker.log.of("left the relay while it restarts")).toHaveLength(1);
  await using successor = startTestRelay({ listen: { host: "127.0.0.1", port: Number(relay.url.port) } });
  await successor.workers(1);
  expect((await successor.post("/v1/chat/completions", { model: "m" })).status).toBe(200);
});

test("[X2] what is not finished by the drain timeout ends with an error: waiting, unanswered and streaming", async () => {
  await using relay = startTestRelay({ drainTimeoutMs: 50 });
  await using worker = await startV2Worker(relay, { slots: 2 });
  using streaming = await RawClient.connect(relay);
  streaming.post("/v1/messages", { model: "m", stream: true });
  const job = await worker.nextJob();
  job.startStream();
  job.data("event: ping\ndata: {}\n\n");
  await until(() => streaming.text.includes("ping"), "the stream begins");
  const unanswered = relay.post("/v1/chat/completions", { model: "m" });
  await worker.nextJob();
  const waiting = relay.post("/v1/chat/completions", { model: "m" });
  await relay.requests(3);
  await relay.drain();
  for (const response of [await unanswered, await waiting]) {
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { code: "shutdown" } });
  }
  await streaming.closed();
  const { text, isTerminated } = streaming.chunkedBody;
  expect(text).toContain("event: error");
  expect(isTerminated).toBe(false);
  expect(worker.of("cancel")).toHaveLength(2);
});

test("[X2] uploads under way are refused as soon as the relay drains, and their clients hear of it before the sockets close", async () => {
  await using relay = startTestRelay();
  using announced = await RawClient.connect(relay);
  using chunked = await RawClient.connect(relay);
  announced.send("POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{");
  chunked.send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n");
  await until(() => relay.hub.bodies.heldBytes === 1_001, "both uploads are under way");
  const drained = relay.drain();
  for (const client of [announced, chunked]) {
    const { status, headers } = await client.head();
    expect([status, headers.get("retry-after")]).toEqual([503, "5"]);
    await until(() => client.text.includes("The relay is shutting down."), "the refusal");
  }
  expect([chunked.text.includes('"code":"draining"'), announced.isClosed, chunked.isClosed]).toEqual([true, false, false]);
  expect(relay.hub.bodies.heldBytes).toBe(0);
  await drained;
});

test("[X2] an upload that was refused has a moment to hear of it, since some look for an answer only between two pieces", async () => {
  const clock = new ManualClock();
  await using relay = startTestRelay({}, { clock });
  using client = await RawClient.connect(relay);
  client.send("POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{");
  await until(() => relay.hub.bodies.heldBytes === 1_000, "the upload is under way");
  let isOver = false;
  void relay.drain().then(() => (isOver = true));
  expect((await client.head()).status).toBe(503);
  for (let passedMs = 0; passedMs < 500; passedMs += 50) {
    clock.advance(50);
    await turns(5);
  }
  expect([isOver, client.isClosed]).toEqual([false, false]);
  await until(async () => {
    clock.advance(50);
    await turns();
    return isOver;
  }, "the relay has ended");
});

test("[X2] stop() without a drain ends everything with an error too", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay);
  using client = await RawClient.connect(relay);
  client.post("/v1/chat/completions", { model: "m", stream: true });
  const job = await worker.nextJob();
  job.startStream();
  job.data("data: 1\n\n");
  await until(() => client.text.includes("data: 1"), "the stream begins");
  await relay.stop();
  await client.closed();
  expect(client.chunkedBody.isTerminated).toBe(false);
  expect(relay.hub.requests.size).toBe(0);
});

test("[W3] the real worker drains: what runs there finishes, what is new waits for another one", async () => {
  const gate = Promise.withResolvers<void>();
  const events = streamEvents("chat");
  await using path = await startWholePath(
    listing(["m"], async (exchange) => {
      const stream = await exchange.stream();
      await stream.send(events[0]!);
      await gate.promise;
      for (const event of events.slice(1)) await stream.send(event);
      await stream.end();
    }),
    { worker: { maxConcurrency: 2 } },
  );
  const { relay, worker } = path;
  const reader = new SseReader(await relay.post("/v1/chat/completions", { model: "m", stream: true }));
  await reader.next();
  worker.drain();
  await until(() => relay.log.of("graceful shutdown").length === 1, "the relay knows that the worker drains");
  const waiting = relay.post("/v1/chat/completions", { model: "m" });
  await relay.requests(2);
  expect(relay.hub.queueDepth).toBe(1);
  gate.resolve();
  await reader.rest();
  expect(reader.bytes.toString()).toBe(events.join(""));
  expect(reader.end?.kind).toBe("clean");
  await worker.finished;
  expect(relay.log.of("worker drained")).toHaveLength(1);
  await relay.workers(0);
  await using other = await startV2Worker(relay);
  (await other.nextJob()).answer();
  expect((await waiting).headers.get("x-modelrelay-attempts")).toBe("1");
});

test("[W3] a worker that was told to drain gets work again when it is resumed", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay);
  const [connected] = relay.hub.fleet.workers.values();
  relay.hub.fleet.drain(connected!.id, "operator");
  expect(relay.log.of("worker drained")).toHaveLength(1);
  const response = relay.post("/v1/chat/completions", { model: "m" });
  await relay.requests(1);
  expect(worker.jobs).toHaveLength(0);
  relay.hub.fleet.resume(connected!.id);
  (await worker.nextJob()).answer();
  expect((await response).status).toBe(200);
});
