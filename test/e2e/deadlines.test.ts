// Each deadline, with the request in the phase it watches: the client is told, the backend's connection is closed, the slot is free.
import { expect, test } from "bun:test";
import { hangBeforeHeaders, hangMidStream, inTurn, politely } from "../support/fake-backend-answers.ts";
import { streamEvents } from "../support/fake-backend-events.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { SseReader } from "../support/sse-reader.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { within } from "../support/until.ts";
import { startV1Worker } from "../support/v1-worker.ts";
import { startV2Worker } from "../support/v2-worker.ts";
import { startWholePath } from "../support/whole-path.ts";

async function codeOf(response: Response): Promise<unknown> {
  const body: { error?: { code?: unknown } } = JSON.parse(await response.text());
  return body.error?.code;
}

test("[Q3] [Q4] a request that waits too long gets queue_timeout; the one that runs is not touched", async () => {
  const gate = Promise.withResolvers<void>();
  await using path = await startWholePath(
    async (exchange) => {
      if (exchange.request.path.startsWith("/v1/models")) return await politely(["m"])(exchange);
      await gate.promise;
      return await exchange.unary(200, "{}");
    },
    { relay: { queueTimeoutMs: 50 } },
  );
  const { relay, backend } = path;
  const running = relay.post("/v1/chat/completions", { model: "m" });
  await backend.nextExchange();
  const response = await relay.post("/v1/chat/completions", { model: "m", stream: true });
  expect(response.status).toBe(504);
  expect(response.headers.get("retry-after")).not.toBeNull();
  expect(await codeOf(response)).toBe("queue_timeout");
  gate.resolve();
  expect((await running).status).toBe(200);
});

test("[Q4] with no worker at all the wait ends with no_workers", async () => {
  await using relay = startTestRelay({ queueTimeoutMs: 30 });
  const response = await relay.post("/v1/chat/completions", { model: "m" });
  expect(response.status).toBe(503);
  expect(await codeOf(response)).toBe("no_workers");
});

test("[C4] [C5] no byte before the request timeout: 504, and the backend's connection is closed", async () => {
  await using path = await startWholePath(inTurn(hangBeforeHeaders(), politely(["m"])), { relay: { requestTimeoutMs: 100 } });
  const { relay, backend } = path;
  const response = relay.post("/v1/chat/completions", { model: "m", stream: true });
  const exchange = await backend.nextExchange();
  expect((await response).status).toBe(504);
  expect(await codeOf(await response)).toBe("request_timeout");
  await within(exchange.closedByPeer, "the backend sees the timeout");
  expect((await relay.post("/v1/chat/completions", { model: "m" })).status).toBe(200);
  await path.idle();
});

test("[C4] [C5] [T5] a whole answer that is not complete by the request timeout is a 504, although its headers were there", async () => {
  const answer = inTurn(
    async (exchange) => {
      await exchange.head(200, { "content-type": "application/json", "content-length": "1000" });
      await exchange.raw('{"half":');
    },
    politely(["m"]),
  );
  await using path = await startWholePath(answer, { relay: { requestTimeoutMs: 100 } });
  const { relay, backend } = path;
  const response = relay.post("/v1/chat/completions", { model: "m" });
  const exchange = await backend.nextExchange();
  expect((await response).status).toBe(504);
  expect(await codeOf(await response)).toBe("request_timeout");
  await within(exchange.closedByPeer, "the backend sees the timeout");
  expect((await relay.post("/v1/chat/completions", { model: "m" })).status).toBe(200);
  await path.idle();
});

test("[C4] a stream that began is not touched by the request timeout", async () => {
  const clock = new ManualClock();
  const events = streamEvents("chat");
  await using relay = startTestRelay({ requestTimeoutMs: 1_000, queueTimeoutMs: 1_000, chunkTimeoutMs: 0 }, { clock });
  await using worker = await startV2Worker(relay);
  const response = relay.post("/v1/chat/completions", { model: "m", stream: true });
  const job = await worker.nextJob();
  job.startStream();
  job.data(events[0]!);
  const reader = new SseReader(await response);
  await reader.next();
  clock.advance(10_000);
  job.data(events.slice(1).join(""));
  job.end();
  await reader.rest();
  expect(reader.bytes.toString()).toBe(events.join(""));
  expect(reader.end?.kind).toBe("clean");
});

test("[T8] [C5] a stream that falls silent ends with chunk_timeout, and the backend's connection is closed", async () => {
  const events = streamEvents("chat").slice(0, 2);
  await using path = await startWholePath(inTurn(hangMidStream(events), politely(["m"])), { relay: { chunkTimeoutMs: 80 } });
  const { relay, backend } = path;
  const reader = new SseReader(await relay.post("/v1/chat/completions", { model: "m", stream: true }));
  const exchange = await backend.nextExchange();
  const all = await reader.rest();
  expect(Buffer.concat(all.slice(0, 2).map((event) => event.bytes)).toString()).toBe(events.join(""));
  expect(JSON.parse(all.at(-1)?.data ?? "")).toMatchObject({ error: { code: "chunk_timeout" } });
  expect(reader.end?.kind).toBe("broken");
  await within(exchange.closedByPeer, "the backend sees the timeout");
  expect((await relay.post("/v1/chat/completions", { model: "m" })).status).toBe(200);
  await path.idle();
});

test("[C4] [C5] the total timeout ends a stream that is still going", async () => {
  await using path = await startWholePath(inTurn(hangMidStream(streamEvents("messages").slice(0, 2)), politely(["m"])), {
    relay: { totalTimeoutMs: 120 },
  });
  const { relay, backend } = path;
  const reader = new SseReader(await relay.post("/v1/messages", { model: "m", stream: true }));
  const exchange = await backend.nextExchange();
  const all = await reader.rest();
  expect(all.at(-1)?.name).toBe("error");
  expect(JSON.parse(all.at(-1)?.data ?? "")).toMatchObject({ type: "error", error: { type: "api_error" } });
  await within(exchange.closedByPeer, "the backend sees the timeout");
  expect(relay.hub.counters.byOutcome.get("total_timeout")).toBe(1);
  await path.idle();
});

test("[C5] a v1 worker is told that it was a timeout", async () => {
  await using relay = startTestRelay({ requestTimeoutMs: 50 });
  await using worker = await startV1Worker(relay, { slots: 1 });
  const response = await relay.post("/v1/chat/completions", { model: "m", stream: true });
  expect(response.status).toBe(504);
  expect(await worker.next("cancel")).toMatchObject({ reason: "timeout" });
});

test("[C4] [R2] a requeue extends neither the request timeout nor the total one", async () => {
  for (const limit of ["requestTimeoutMs", "totalTimeoutMs"] as const) {
    const clock = new ManualClock();
    await using relay = startTestRelay({ [limit]: 2_000, queueTimeoutMs: 0 }, { clock });
    await using first = await startV2Worker(relay);
    const response = relay.post("/v1/chat/completions", { model: "m" });
    await first.nextJob();
    clock.advance(1_500);
    first.cut();
    await relay.workers(0);
    await using second = await startV2Worker(relay);
    await second.nextJob();
    clock.advance(499);
    expect(relay.hub.requests.size).toBe(1);
    clock.advance(1);
    expect((await response).status).toBe(504);
    await second.next("cancel");
  }
});
