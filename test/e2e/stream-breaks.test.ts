// A stream that breaks in the middle: the dialect's own error event, and then a connection that is destroyed, never a clean end.
import { expect, test } from "bun:test";
import { resetMidStream, listing, unterminatedStream } from "../support/fake-backend-answers.ts";
import { type Dialect, PATHS, streamEvents } from "../support/fake-backend-events.ts";
import type { Answer } from "../support/fake-backend-exchange.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { until } from "../support/until.ts";
import { startV1Worker } from "../support/v1-worker.ts";
import { startV2Worker } from "../support/v2-worker.ts";
import { startWholePath } from "../support/whole-path.ts";

const DIALECTS = ["chat", "responses", "messages"] satisfies readonly Dialect[];

/** The events behind `sent`, and what is known of the connection's end. */
async function brokenEnd(client: RawClient, sent: string): Promise<string> {
  await client.closed();
  const { text, isTerminated } = client.chunkedBody;
  expect(isTerminated).toBe(false);
  expect(client.text).not.toContain("\r\n0\r\n\r\n");
  expect(text.slice(0, sent.length)).toBe(sent);
  return text.slice(sent.length);
}

function expectErrorEvent(dialect: Dialect, event: string, code: string, requestId: string): void {
  const [, name, data] = /^(?:event: (.*)\n)?data: (.*)\n\n$/.exec(event) ?? [];
  const parsed: unknown = JSON.parse(data ?? "");
  const message = expect.stringMatching(/^[A-Z].*\.$/);
  switch (dialect) {
    case "chat":
      expect(name).toBeUndefined();
      expect(parsed).toEqual({ error: { message, type: "server_error", code, request_id: requestId } });
      break;
    case "messages":
      expect(name).toBe("error");
      expect(parsed).toEqual({ type: "error", error: { type: "api_error", message }, request_id: requestId });
      break;
    case "responses":
      expect(name).toBe("response.failed");
      expect(parsed).toMatchObject({
        type: "response.failed",
        sequence_number: 3,
        response: { id: "resp_fake", status: "failed", error: { code, message }, model: "m" },
      });
      break;
  }
}

for (const dialect of DIALECTS) {
  const events = streamEvents(dialect).slice(0, 3);
  const breaks: ReadonlyMap<string, (isRead: Promise<unknown>) => Answer> = new Map([
    ["ends without its last chunk", () => unterminatedStream(events)],
    ["is reset", (isRead: Promise<unknown>) => resetMidStream(events, isRead)],
  ]);
  for (const [how, answer] of breaks) {
    test(`[T3] [R7] a ${dialect} stream whose backend connection ${how}`, async () => {
      const isRead = Promise.withResolvers<void>();
      await using path = await startWholePath(listing(["m"], answer(isRead.promise)));
      const { relay } = path;
      using client = await RawClient.connect(relay);
      client.post(PATHS[dialect], { model: "m", stream: true }, { "x-request-id": "abc-1" });
      await until(() => client.chunkedBody.text.includes(events.join("")), "the events before the break");
      isRead.resolve();
      expectErrorEvent(dialect, await brokenEnd(client, events.join("")), "backend_error", "abc-1");
      await path.idle();
    });
  }

  test(`[T3] [W1] a ${dialect} stream whose worker is lost`, async () => {
    await using relay = startTestRelay();
    await using worker = await startV2Worker(relay);
    using client = await RawClient.connect(relay);
    client.post(PATHS[dialect], { model: "m", stream: true }, { "x-request-id": "abc-2" });
    const job = await worker.nextJob();
    job.startStream();
    job.data(events.join(""));
    await until(() => client.chunkedBody.text.includes(events.join("")), "the events before the loss");
    worker.cut();
    expectErrorEvent(dialect, await brokenEnd(client, events.join("")), "worker_lost", "abc-2");
  });
}

test("[T2] [T3] an event that was cut in the middle is not followed by ours inside it", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay);
  using client = await RawClient.connect(relay);
  client.post("/v1/chat/completions", { model: "m", stream: true });
  const job = await worker.nextJob();
  job.startStream();
  job.data('data: {"whole":1}\n\ndata: {"half');
  await until(() => client.chunkedBody.text.includes("whole"), "the whole event");
  job.end("broken");
  const rest = await brokenEnd(client, 'data: {"whole":1}\n\n');
  expect(rest).toStartWith('data: {"error":');
});

test("[T2] [T3] behind half an event too large to be held, an empty line ends it first", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay);
  using client = await RawClient.connect(relay);
  client.post("/v1/chat/completions", { model: "m", stream: true });
  const job = await worker.nextJob();
  job.startStream();
  const half = `data: ${"x".repeat(100_000)}`;
  job.data(half);
  await until(() => client.received.byteLength > 100_000, "the half event");
  job.end("broken");
  const rest = await brokenEnd(client, half);
  expect(rest).toStartWith('\n\ndata: {"error":');
});

test("[T3] an answer that is no event stream is cut without a word of ours in it", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay);
  using client = await RawClient.connect(relay);
  client.post("/v1/completions", { model: "m", stream: true });
  const job = await worker.nextJob();
  job.start(200, { "content-type": "application/x-ndjson" });
  job.data("{}\n");
  await until(() => client.chunkedBody.text.includes("{}\n"), "the first line");
  job.end("broken");
  expect(await brokenEnd(client, "{}\n")).toBe("");
});

test("[T3] [R7] an old worker that drops its session in the middle of a stream", async () => {
  await using relay = startTestRelay();
  await using worker = await startV1Worker(relay);
  using client = await RawClient.connect(relay);
  client.post("/v1/messages", { model: "m", stream: true }, { "x-request-id": "abc-3" });
  const job = await worker.nextJob();
  job.chunk("event: ping\ndata: {}\n\n");
  await until(() => client.chunkedBody.text.includes("ping"), "the first event");
  await using other = await startV1Worker(relay);
  worker.cut();
  expectErrorEvent("messages", await brokenEnd(client, "event: ping\ndata: {}\n\n"), "worker_lost", "abc-3");
  expect(other.jobs).toHaveLength(0);
});

test("[T3] no word of worker or backend reaches the client", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay);
  using client = await RawClient.connect(relay);
  client.post("/v1/chat/completions", { model: "m", stream: true });
  const job = await worker.nextJob();
  job.startStream();
  job.data("data: 1\n\n");
  job.end("broken");
  await client.closed();
  expect(client.text).toContain("backend_error");
  expect(client.text).not.toContain("canary");
});
