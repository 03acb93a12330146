// A client that stops reading: what it can make relay, worker and backend hold is bounded, and its neighbours notice nothing.
import { expect, test } from "bun:test";
import { endlessStream, hugeBody, inTurn, listing, politely } from "../support/fake-backend-answers.ts";
import type { Answer } from "../support/fake-backend-exchange.ts";
import { streamEvents } from "../support/fake-backend-events.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestRelay, type TestRelay } from "../support/running-relay.ts";
import { readEvents } from "../support/sse-reader.ts";
import { until, within } from "../support/until.ts";
import { startV1Worker } from "../support/v1-worker.ts";
import { startV2Worker } from "../support/v2-worker.ts";
import { startWholePath } from "../support/whole-path.ts";

const MIB = 1024 * 1024;
const EVENT = `data: ${"x".repeat(4_000)}\n\n`;
/** Socket buffers between four parties, and the relay's own windows: far below what an endless backend would send. */
const UNDER_WAY_MAX_BYTES = 40 * MIB;

function bufferedBytes(relay: TestRelay): number {
  let bytes = 0;
  for (const { phase } of relay.hub.requests.values()) if (phase.kind === "answering") bytes += phase.body.bufferedBytes;
  return bytes;
}

/** Resolves when nothing has moved for a while: 50 looks a millisecond apart. */
async function standsStill(measure: () => number): Promise<void> {
  let last = measure();
  let looks = 0;
  await until(() => {
    const now = measure();
    looks = now === last ? looks + 1 : 0;
    last = now;
    return looks >= 50;
  }, "everything stands still");
}

const ENDLESS: ReadonlyMap<string, { readonly answer: Answer; readonly stream: boolean }> = new Map([
  ["an endless stream", { answer: endlessStream(EVENT), stream: true }],
  ["a huge whole answer", { answer: hugeBody(60), stream: false }],
]);

for (const [what, { answer, stream }] of ENDLESS) {
  test(`[T6] ${what} for a client that does not read is not read from the backend either; a neighbour goes on`, async () => {
    await using path = await startWholePath(inTurn(listing(["m"], answer), politely(["m"])), { worker: { maxConcurrency: 2 } });
    const { relay, backend } = path;
    using client = await RawClient.connect(relay);
    client.pause();
    client.post("/v1/chat/completions", { model: "m", stream });
    const exchange = await backend.nextExchange();
    await until(() => exchange.isStalled, "the backend is not read any more");
    await standsStill(() => exchange.bytesAccepted);
    expect(exchange.bytesAccepted).toBeLessThan(UNDER_WAY_MAX_BYTES);
    expect(bufferedBytes(relay)).toBeLessThanOrEqual(256 * 1024);
    for (let request = 0; request < 20; request++) {
      const events = await readEvents(await relay.post("/v1/chat/completions", { model: "m", stream: true }));
      expect(Buffer.concat(events.map((event) => event.bytes)).toString()).toBe(streamEvents("chat").join(""));
    }
    client.cut();
    await within(exchange.closedByPeer, "the backend sees the client go");
    await path.idle();
  });
}

test("[T6] a client that reads again gets everything, in order and to the last byte", async () => {
  const events = Array.from({ length: 5_000 }, (_, index) => `data: ${index} ${"y".repeat(4_000)}\n\n`);
  await using path = await startWholePath(
    listing(["m"], async (exchange) => {
      const stream = await exchange.stream();
      for (const event of events) await stream.send(event);
      await stream.end();
    }),
  );
  using client = await RawClient.connect(path.relay);
  client.pause();
  client.post("/v1/chat/completions", { model: "m", stream: true });
  const exchange = await path.backend.nextExchange();
  await until(() => exchange.isStalled, "the backend is not read any more");
  client.resume();
  await client.terminated();
  expect(client.chunkedBody.text === events.join("")).toBe(true);
});

test("[T8] [T7] the clock between chunks stands still while the client does not read; after 2 min the client is cut off", async () => {
  const clock = new ManualClock();
  await using relay = startTestRelay({ chunkTimeoutMs: 60_000, sseKeepaliveMs: 0, heartbeatIntervalMs: 10_000_000 }, { clock });
  await using worker = await startV2Worker(relay, { slots: 1 });
  using client = await RawClient.connect(relay);
  client.pause();
  client.post("/v1/chat/completions", { model: "m", stream: true });
  const job = await worker.nextJob();
  job.startStream();
  // As the worker has credit, until there is none: the client's socket is full by then.
  let sent = 0;
  const fill = (): number => {
    for (; sent + EVENT.length <= 256 * 1024 + job.credit; sent += EVENT.length) job.data(EVENT);
    return sent;
  };
  await standsStill(fill);
  expect(bufferedBytes(relay)).toBeGreaterThan(0);
  expect(bufferedBytes(relay)).toBeLessThanOrEqual(256 * 1024);
  clock.advance(119_000);
  expect(relay.hub.requests.size).toBe(1);
  clock.advance(1_000);
  expect(relay.hub.requests.size).toBe(0);
  expect(relay.hub.counters.byOutcome.get("client_stalled")).toBe(1);
  await worker.next("cancel");
  client.resume();
  await client.closed();
  expect(client.chunkedBody.isTerminated).toBe(false);
});

test("[T8] a client that reads now and then keeps its stream", async () => {
  const clock = new ManualClock();
  await using relay = startTestRelay({ chunkTimeoutMs: 60_000, sseKeepaliveMs: 0, heartbeatIntervalMs: 10_000_000 }, { clock });
  await using worker = await startV2Worker(relay, { slots: 1 });
  using client = await RawClient.connect(relay);
  client.pause();
  client.post("/v1/chat/completions", { model: "m", stream: true });
  const job = await worker.nextJob();
  job.startStream();
  let sent = 0;
  const fill = (): number => {
    for (; sent + EVENT.length <= 256 * 1024 + job.credit; sent += EVENT.length) job.data(EVENT);
    return sent;
  };
  await standsStill(fill);
  for (let round = 0; round < 3; round++) {
    clock.advance(100_000);
    expect(relay.hub.requests.size).toBe(1);
    const before = sent;
    client.resume();
    await until(() => fill() > before + 256 * 1024, "the client reads");
    client.pause();
    await standsStill(fill);
  }
  client.resume();
  job.end();
  await client.terminated();
  expect(client.chunkedBody.text.length).toBe(sent);
});

test("[T6] [T7] a v1 worker, which no credit can stop, costs at most 8 MiB: then the client is cut off and the worker told", async () => {
  await using relay = startTestRelay();
  await using worker = await startV1Worker(relay, { slots: 2 });
  using client = await RawClient.connect(relay);
  client.pause();
  client.post("/v1/chat/completions", { model: "m", stream: true });
  const job = await worker.nextJob();
  let most = 0;
  const flood = (): boolean => {
    for (let n = 0; n < 20; n++) job.chunk(EVENT.repeat(10));
    most = Math.max(most, bufferedBytes(relay));
    return worker.of("cancel").length > 0;
  };
  await until(flood, "the relay has enough", 15_000);
  expect(most).toBeLessThan(9 * MIB);
  expect(relay.hub.requests.size).toBe(0);
  const response = relay.post("/v1/chat/completions", { model: "m" });
  (await worker.nextJob()).complete(200, { body: "{}" });
  expect((await response).status).toBe(200);
});
