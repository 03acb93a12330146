// A v2 worker that breaks the protocol: what closes its connection, and what is only counted.
import { expect, test } from "bun:test";
import { RawClient } from "../support/raw-client.ts";
import { startTestRelay, type TestRelay } from "../support/running-relay.ts";
import { until } from "../support/until.ts";
import { startV1Worker } from "../support/v1-worker.ts";
import { frameOf, startV2Worker, type V2Worker } from "../support/v2-worker.ts";

const KIB = 1024;

const CLOSES: ReadonlyMap<string, { readonly frame: string | Uint8Array; readonly code: number }> = new Map([
  ["no JSON", { frame: "{", code: 1002 }],
  ["no object", { frame: "7", code: 1002 }],
  ["without a type", { frame: "{}", code: 1002 }],
  ["of a known type with a missing field", { frame: '{"type":"response_start","attempt":1}', code: 1002 }],
  ["with an attempt of 0", { frame: '{"type":"cancelled","attempt":0}', code: 1002 }],
  ["with an attempt beyond 32 bits", { frame: '{"type":"cancelled","attempt":4294967296}', code: 1002 }],
  ["with credit of 0", { frame: '{"type":"credit","attempt":1,"bytes":0}', code: 1002 }],
  ["binary of an unknown kind", { frame: frameOf(1, "x", 9), code: 1002 }],
  ["binary and shorter than its header", { frame: Uint8Array.from([2, 0, 0]), code: 1002 }],
  ["binary and empty", { frame: new Uint8Array(), code: 1002 }],
  ["a body frame above 256 KiB", { frame: frameOf(1, new Uint8Array(256 * KIB + 1)), code: 1002 }],
  ["binary above 1 MiB", { frame: new Uint8Array(1024 * KIB + 1).fill(2), code: 1009 }],
  ["text above 1 MiB", { frame: JSON.stringify({ type: "future", x: "x".repeat(1024 * KIB) }), code: 1009 }],
]);

for (const [what, { frame, code }] of CLOSES) {
  test(`[L4] a v2 frame ${what} closes with ${code}; requests that run there go elsewhere`, async () => {
    await using relay = startTestRelay();
    await using worker = await startV2Worker(relay);
    const response = relay.post("/v1/chat/completions", { model: "m" });
    await worker.nextJob();
    worker.sendRaw(frame);
    expect((await worker.closedByRelay()).code).toBe(code);
    expect(relay.hub.fleet.workers.size).toBe(0);
    await using other = await startV2Worker(relay);
    (await other.nextJob()).answer();
    expect((await response).status).toBe(200);
  });
}

test("[L4] a binary frame, or one that is no JSON, closes a v1 connection with 1002", async () => {
  for (const frame of [frameOf(1, "x"), "{", '{"type":"response_chunk"}']) {
    await using relay = startTestRelay();
    await using worker = await startV1Worker(relay);
    worker.sendRaw(frame);
    expect((await worker.closedByRelay()).code).toBe(1002);
  }
});

async function stillServes(relay: TestRelay, worker: V2Worker): Promise<void> {
  expect(worker.end).toBeNull();
  const response = relay.post("/v1/chat/completions", { model: "m" });
  (await worker.nextJob()).answer('"fine"');
  expect(await (await response).json()).toBe("fine");
}

test("[L4] types from the future are counted and ignored, in both protocols", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { slots: 1 });
  worker.send({ type: "telemetry", anything: [1, 2, { three: 4 }] });
  worker.send({ type: "request", attempt: 1 });
  await stillServes(relay, worker);
  worker.close();
  await relay.workers(0);
  await using old = await startV1Worker(relay);
  old.send({ type: "telemetry" });
  old.send({ type: "draining" });
  const response = relay.post("/v1/chat/completions", { model: "m" });
  (await old.nextJob()).complete();
  expect((await response).status).toBe(200);
  expect(relay.hub.counters.ignoredFrames).toBe(4);
});

test("[W5] frames for attempts that are not there, are another worker's, or are over change nothing and are counted", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { slots: 1 });
  await using other = await startV2Worker(relay, { slots: 1, models: ["other"] });
  // The other one's first attempt has number 1 as well: on its own connection.
  const foreign = relay.post("/v1/chat/completions", { model: "other" });
  const theirs = await other.nextJob();
  for (const attempt of [1, 77]) {
    worker.send({ type: "response_start", attempt, status_code: 200, headers: { "set-cookie": "a=b" } });
    worker.sendRaw(frameOf(attempt, "forged"));
    worker.send({ type: "response_end", attempt });
    worker.send({ type: "reject", attempt, reason: "full" });
    worker.send({ type: "cancelled", attempt });
    worker.send({ type: "credit", attempt, bytes: 5 });
  }
  await until(() => relay.hub.counters.ignoredFrames === 10, "the forged frames are counted");
  theirs.answer('"mine"');
  theirs.end();
  theirs.start(500);
  theirs.acknowledgeCancel();
  expect(await (await foreign).json()).toBe("mine");
  await stillServes(relay, worker);
  expect(relay.hub.counters.ignoredFrames).toBe(13);
});

test("[W5] an answer that starts twice starts once; an acknowledgement nobody asked for is none", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { slots: 1 });
  const response = relay.post("/v1/chat/completions", { model: "m" });
  const job = await worker.nextJob();
  job.acknowledgeCancel();
  job.sendRequestBodyBack();
  job.start(200);
  job.start(500, { "content-type": "text/html" });
  job.acknowledgeCancel();
  job.data('"once"');
  job.end();
  expect((await response).status).toBe(200);
  expect(await (await response).json()).toBe("once");
  await stillServes(relay, worker);
});

test("[W5] an end without a start is no answer, and a rejection after the start is none either", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { slots: 1 });
  const ended = relay.post("/v1/chat/completions", { model: "m" });
  (await worker.nextJob()).end();
  expect((await ended).status).toBe(502);
  const rejected = relay.post("/v1/chat/completions", { model: "m" });
  const job = await worker.nextJob();
  job.start();
  job.reject("full");
  expect((await rejected).status).toBe(502);
  await stillServes(relay, worker);
});

test("[H8] an unusable status or a header block without end fails the request; the worker is told to stop and stays", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { slots: 1 });
  const answers = [[0], [101], [199], [301], [304], [600], [200, { "content-type": "x".repeat(40_000) }]] as const;
  for (const [status, headers] of answers) {
    const response = relay.post("/v1/chat/completions", { model: "m" });
    const job = await worker.nextJob();
    job.start(status, headers);
    expect((await response).status).toBe(502);
    await until(() => job.isCancelled, "the worker is told to stop");
  }
  await stillServes(relay, worker);
});

test("[L8] a worker that sends more than its window is closed with 1002, and the client's answer breaks off", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { slots: 1 });
  using client = await RawClient.connect(relay);
  client.pause();
  client.post("/v1/chat/completions", { model: "m", stream: true });
  const job = await worker.nextJob();
  job.startStream();
  // A client that does not read, until there is no credit left; 256 KiB is the window of a worker with one slot.
  const frame = Buffer.from(`data: ${"x".repeat(32 * KIB - 8)}\n\n`);
  let sent = 0;
  let idleLooks = 0;
  await until(() => {
    const before = sent;
    for (; sent + frame.byteLength <= 256 * KIB + job.credit; sent += frame.byteLength) job.data(frame);
    idleLooks = sent === before ? idleLooks + 1 : 0;
    return idleLooks >= 50;
  }, "the window is used up");
  expect(worker.end).toBeNull();
  job.data(new Uint8Array(64 * KIB));
  expect((await worker.closedByRelay()).code).toBe(1002);
  client.resume();
  await client.closed();
  expect(client.chunkedBody.isTerminated).toBe(false);
});

test("[L8] credit comes back as the client takes bytes, and sums up to what it took", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { slots: 1 });
  const response = relay.post("/v1/chat/completions", { model: "m", stream: true });
  const job = await worker.nextJob();
  job.startStream();
  const event = `data: ${"x".repeat(10_000)}\n\n`;
  let sent = 0;
  await until(() => {
    for (; sent < 4_000_000 && sent + event.length <= 256 * KIB + job.credit; sent += event.length) job.data(event);
    return sent >= 4_000_000;
  }, "all of it is sent within the window");
  job.end();
  expect((await (await response).text()).length).toBe(sent);
  expect(job.credit).toBeGreaterThan(sent - 256 * KIB);
  expect(job.credit).toBeLessThanOrEqual(sent);
});

test("[L9] a body larger than the window goes out as the worker takes it, neighbours in between", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { slots: 2, isGenerous: false });
  const text = "y".repeat(2_000_000);
  const large = relay.post("/v1/chat/completions", { model: "m", text });
  const job = await worker.nextHead();
  await until(() => job.body.byteLength === 256 * KIB, "the first window");
  const small = relay.post("/v1/chat/completions", { model: "m" });
  (await worker.nextJob()).answer();
  expect((await small).status).toBe(200);
  expect(job.body.byteLength).toBe(256 * KIB);
  let credited = 0;
  while (job.body.byteLength < Number(job.request["body_length"])) {
    worker.send({ type: "credit", attempt: job.attempt, bytes: job.body.byteLength - credited });
    credited = job.body.byteLength;
    await until(() => job.body.byteLength > credited, "more of the body");
    expect(job.body.byteLength - credited).toBeLessThanOrEqual(256 * KIB);
  }
  expect(Math.max(...job.bodyFrames.map((frame) => frame.byteLength))).toBeLessThanOrEqual(256 * KIB);
  expect(job.text).toBe(JSON.stringify({ model: "m", text }));
  job.answer();
  expect((await large).status).toBe(200);
});

test("[L9] credit without end gives no more than the window, and an answer may come before the body is through", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { slots: 1, isGenerous: false });
  const response = relay.post("/v1/chat/completions", { model: "m", text: "z".repeat(3_000_000) });
  const job = await worker.nextHead();
  await until(() => job.body.byteLength === 256 * KIB, "the first window");
  worker.send({ type: "credit", attempt: job.attempt, bytes: Number.MAX_SAFE_INTEGER });
  await until(() => job.body.byteLength === 512 * KIB, "the second window");
  job.answer('"too long"', 413);
  expect((await response).status).toBe(413);
  const next = relay.post("/v1/chat/completions", { model: "m" });
  (await worker.nextJob()).answer();
  expect((await next).status).toBe(200);
  expect(job.body.byteLength).toBe(512 * KIB);
});

test("[W5] [T5] bytes before the answer began fail it: better none than one with a hole", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay);
  const response = relay.post("/v1/chat/completions", { model: "m" });
  const job = await worker.nextJob();
  job.data('{"first":');
  job.start();
  job.data("1}");
  job.end();
  expect((await response).status).toBe(502);
});
