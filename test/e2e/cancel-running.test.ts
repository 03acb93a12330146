// A client that hangs up while its request is on a worker, in each phase: the backend sees it, and the slot is free at once.
import { expect, test } from "bun:test";
import { hangBeforeHeaders, hangMidStream, inTurn, listing, politely, unary } from "../support/fake-backend-answers.ts";
import type { Answer } from "../support/fake-backend-exchange.ts";
import { streamEvents } from "../support/fake-backend-events.ts";
import { SseReader } from "../support/sse-reader.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { within } from "../support/until.ts";
import { startV1Worker } from "../support/v1-worker.ts";
import { startV2Worker } from "../support/v2-worker.ts";
import { startWholePath } from "../support/whole-path.ts";

const halfAnAnswer: Answer = async (exchange) => {
  await exchange.head(200, { "content-type": "application/json", "content-length": "1000" });
  await exchange.raw('{"half":');
};

const PHASES: readonly { readonly when: string; readonly answer: Answer; readonly isStreaming: boolean }[] = [
  { when: "before the headers of a stream", answer: hangBeforeHeaders(), isStreaming: true },
  { when: "before the headers of a whole answer", answer: hangBeforeHeaders(), isStreaming: false },
  { when: "in the middle of a stream", answer: hangMidStream(streamEvents("chat").slice(0, 2)), isStreaming: true },
  { when: "in the middle of a whole answer", answer: halfAnAnswer, isStreaming: false },
];

for (const { when, answer, isStreaming } of PHASES) {
  test(`[C2] hanging up ${when} closes the backend's connection and frees the slot`, async () => {
    await using path = await startWholePath(inTurn(answer, politely(["m"])));
    const { relay, backend } = path;
    const abort = new AbortController();
    const response = relay.post("/v1/chat/completions", { model: "m", stream: isStreaming }, { signal: abort.signal });
    const exchange = await backend.nextExchange();
    if (when === "in the middle of a stream") await new SseReader(await response).next();
    abort.abort();
    await response.catch(() => null);
    await within(exchange.closedByPeer, "the backend sees the client go");
    const next = await relay.post("/v1/chat/completions", { model: "m" });
    expect(next.status).toBe(200);
    expect(next.headers.get("x-modelrelay-attempts")).toBe("1");
    await next.text();
    await path.idle();
    expect(relay.hub.fleet.workers.size).toBe(1);
  });
}

test("[C2] a worker is told to cancel once, and its slot counts until it acknowledges", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { slots: 1, answersCancels: false });
  const abort = new AbortController();
  const cancelled = relay.post("/v1/chat/completions", { model: "m" }, { signal: abort.signal }).catch(() => null);
  const job = await worker.nextJob();
  const waiting = relay.post("/v1/chat/completions", { model: "m" });
  await relay.requests(2);
  abort.abort();
  await cancelled;
  expect(await worker.next("cancel")).toMatchObject({ attempt: job.attempt, reason: "client_disconnect" });
  expect(worker.jobs).toHaveLength(1);
  job.acknowledgeCancel();
  (await worker.nextJob()).answer();
  expect((await waiting).status).toBe(200);
  expect(worker.of("cancel")).toHaveLength(1);
});

test("[C2] a cancel that crosses the end of the answer on the wire frees the slot once", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { slots: 1, answersCancels: false });
  const abort = new AbortController();
  const cancelled = relay.post("/v1/chat/completions", { model: "m" }, { signal: abort.signal }).catch(() => null);
  const job = await worker.nextJob();
  abort.abort();
  await cancelled;
  await worker.next("cancel");
  job.answer("{}");
  job.acknowledgeCancel();
  for (const expected of ["one", "two"]) {
    const response = relay.post("/v1/chat/completions", { model: "m" });
    (await worker.nextJob()).answer(JSON.stringify(expected));
    expect(await (await response).json()).toBe(expected);
  }
});

test("[C2] [L6] a v1 worker, which answers no cancel, has its slot back when its pong shows that it stopped", async () => {
  await using relay = startTestRelay();
  await using worker = await startV1Worker(relay, { slots: 1, slowAborts: 2 });
  const abort = new AbortController();
  const cancelled = relay.post("/v1/chat/completions", { model: "m", stream: true }, { signal: abort.signal }).catch(() => null);
  const job = await worker.nextJob();
  const waiting = relay.post("/v1/chat/completions", { model: "m" });
  await relay.requests(2);
  abort.abort();
  await cancelled;
  expect(await worker.next("cancel")).toMatchObject({ request_id: job.id, reason: "client_disconnect" });
  const next = await worker.nextJob();
  // Two pongs still counted it; the third did not.
  expect(worker.of("ping").length).toBeGreaterThanOrEqual(3);
  next.complete(200, { body: "{}" });
  expect((await waiting).status).toBe(200);
});

test("[L6] a v1 worker that completes a cancelled request has its slot back at once", async () => {
  await using relay = startTestRelay();
  await using worker = await startV1Worker(relay, { slots: 1, isMute: true });
  const abort = new AbortController();
  const cancelled = relay.post("/v1/chat/completions", { model: "m" }, { signal: abort.signal }).catch(() => null);
  const job = await worker.nextJob();
  abort.abort();
  await cancelled;
  await worker.next("cancel");
  job.complete(200, { body: '"late"' });
  const response = relay.post("/v1/chat/completions", { model: "m" });
  (await worker.nextJob()).complete(200, { body: '"mine"' });
  expect(await (await response).json()).toBe("mine");
});

test("[C2] a worker that is lost while it cancels leaves nothing behind", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { slots: 1, answersCancels: false });
  const abort = new AbortController();
  const cancelled = relay.post("/v1/chat/completions", { model: "m" }, { signal: abort.signal }).catch(() => null);
  await worker.nextJob();
  abort.abort();
  await cancelled;
  await worker.next("cancel");
  worker.cut();
  await relay.workers(0);
  await using other = await startV2Worker(relay, { slots: 1 });
  const response = relay.post("/v1/chat/completions", { model: "m" });
  (await other.nextJob()).answer();
  expect((await response).status).toBe(200);
});

test("[C2] a non-streaming answer that is done when its client has gone is nobody's", async () => {
  await using path = await startWholePath(listing(["m"], unary(200, "{}")));
  const { relay } = path;
  const abort = new AbortController();
  abort.abort();
  expect(await relay.post("/v1/chat/completions", { model: "m" }, { signal: abort.signal }).catch(() => "gone")).toBe("gone");
  expect((await relay.post("/v1/chat/completions", { model: "m" })).status).toBe(200);
});
