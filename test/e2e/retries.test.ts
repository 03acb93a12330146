// What is tried again and what is not, over real sockets; the rules themselves are simulated with the scheduler.
import { expect, test } from "bun:test";
import { RawClient } from "../support/raw-client.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { until } from "../support/until.ts";
import { startV2Worker } from "../support/v2-worker.ts";

test("[R1] [R2] a request whose worker is lost goes to another one, body and all, and says how often it was tried", async () => {
  await using relay = startTestRelay();
  await using first = await startV2Worker(relay, { name: "first" });
  const response = relay.post("/v1/chat/completions", { model: "m", text: "ü" });
  expect((await first.nextJob()).text).toBe('{"model":"m","text":"ü"}');
  first.cut();
  await relay.workers(0);
  await using second = await startV2Worker(relay, { name: "zweite Kiste" });
  const job = await second.nextJob();
  expect(job.text).toBe('{"model":"m","text":"ü"}');
  job.answer();
  const { status, headers } = await response;
  expect([status, headers.get("x-modelrelay-attempts"), headers.get("x-modelrelay-worker")]).toEqual([200, "2", "zweite%20Kiste"]);
  expect(relay.log.of("request requeued")[0]?.fields["cause"]).toBe("worker-lost");
});

test("[R2] after three requeues it ends with requeue_exhausted", async () => {
  await using relay = startTestRelay();
  const response = relay.post("/v1/messages", { model: "m" });
  for (let tries = 1; tries <= 4; tries++) {
    await using worker = await startV2Worker(relay);
    await worker.nextJob();
    worker.cut();
    await relay.workers(0);
  }
  expect((await response).status).toBe(503);
  expect(await (await response).json()).toMatchObject({ type: "error", error: { type: "api_error" } });
  expect(relay.log.of("requeue exhausted")).toHaveLength(1);
});

test("[R3] a worker that is full gets nothing until it reports its load again; it is asked at once", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { slots: 2, answersPings: false });
  const response = relay.post("/v1/chat/completions", { model: "m" });
  (await worker.nextJob()).reject("full");
  await worker.next("ping");
  expect(worker.jobs).toHaveLength(1);
  worker.pong(0);
  (await worker.nextJob()).answer();
  expect((await response).headers.get("x-modelrelay-attempts")).toBe("2");
});

test("[R3] a worker that drains rejects, and gets nothing more; another one takes the request", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay);
  const response = relay.post("/v1/chat/completions", { model: "m" });
  const job = await worker.nextJob();
  await using other = await startV2Worker(relay);
  job.reject("draining");
  (await other.nextJob()).answer();
  expect((await response).status).toBe(200);
  expect(relay.log.of("request requeued")[0]?.fields["cause"]).toBe("rejected");
});

test("[R4] [R6] a backend that refuses the connection: elsewhere, or backend_error when there is no elsewhere", async () => {
  await using relay = startTestRelay();
  await using first = await startV2Worker(relay);
  const alone = relay.post("/v1/chat/completions", { model: "m" });
  (await first.nextJob()).end("connection_refused");
  expect((await alone).status).toBe(502);
  await using second = await startV2Worker(relay);
  const response = relay.post("/v1/chat/completions", { model: "m" });
  (await second.nextJob()).answer();
  expect((await response).headers.get("x-modelrelay-attempts")).toBe("1");
  expect(first.jobs).toHaveLength(1);
});

test("[R5] a backend that drops the connection: once more elsewhere, then backend_error", async () => {
  await using relay = startTestRelay();
  await using first = await startV2Worker(relay);
  await using second = await startV2Worker(relay);
  await using third = await startV2Worker(relay);
  const response = relay.post("/v1/chat/completions", { model: "m" });
  const workers = [first, second, third];
  for (let tries = 1; tries <= 2; tries++) {
    await until(() => workers.some((worker) => worker.jobs.some((job) => job.isRunning)), "somebody has it");
    for (const worker of workers) for (const job of worker.jobs) if (job.isRunning) job.end("dropped");
  }
  expect((await response).status).toBe(502);
  expect(workers.flatMap((worker) => worker.jobs)).toHaveLength(2);
});

test("[R7] after the first byte nothing is tried again, although the client has not seen it yet", async () => {
  await using relay = startTestRelay();
  await using first = await startV2Worker(relay);
  await using second = await startV2Worker(relay);
  const response = relay.post("/v1/chat/completions", { model: "m" });
  await until(() => first.jobs.length + second.jobs.length === 1, "somebody has it");
  const [job] = [...first.jobs, ...second.jobs];
  job?.start();
  job?.data("half");
  job?.end("dropped");
  expect((await response).status).toBe(502);
  expect(first.jobs.length + second.jobs.length).toBe(1);
});

test("[Q1] [Q2] a full queue refuses with queue_full at once, a place that becomes free is given", async () => {
  await using relay = startTestRelay({ maxQueueLength: 2 });
  const abort = new AbortController();
  const waiting = [0, 1].map((n) => relay.post("/v1/messages", { model: "m", n }, { signal: abort.signal }).catch(() => null));
  await relay.requests(2);
  const refused = await relay.post("/v1/chat/completions", { model: "m" });
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "5"]);
  expect(await refused.json()).toMatchObject({ error: { code: "queue_full", type: "rate_limit_error" } });
  const anthropic = await relay.post("/v1/messages", { model: "m" });
  expect(await anthropic.json()).toMatchObject({ error: { type: "overloaded_error" } });
  abort.abort();
  await Promise.all(waiting);
  await relay.requests(0);
  using client = await RawClient.connect(relay);
  client.post("/v1/chat/completions", { model: "m" });
  await relay.requests(1);
});

test("[Q5] a model nobody offers is refused at once with the nearest names, in-stream requests too", async () => {
  await using relay = startTestRelay({ modelGraceMs: 0 });
  await using worker = await startV2Worker(relay, { models: ["llama3.1:8b", "qwen/qwen3"] });
  const response = await relay.post("/v1/chat/completions", { model: "lama3.1:8b", stream: true });
  expect(response.status).toBe(404);
  const message = expect.stringContaining(" llama3.1:8b.");
  expect(await response.json()).toMatchObject({ error: { code: "model_not_found", message } });
  expect(worker.jobs).toHaveLength(0);
});

test("[Q6] [W3] a request that waits for a model is served when a worker announces it", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { models: [] });
  const response = relay.post("/v1/chat/completions", { model: "new" });
  await relay.requests(1);
  worker.send({ type: "models_update", models: ["new"], current_load: 0 });
  (await worker.nextJob()).answer();
  expect((await response).status).toBe(200);
});

test("[W2] a worker that registers again with its instance id supersedes its half-open connection", async () => {
  await using relay = startTestRelay();
  await using old = await startV2Worker(relay, { instance: "i-1", slots: 1 });
  const answering = relay.post("/v1/chat/completions", { model: "m", stream: true });
  const started = await old.nextJob();
  started.startStream();
  started.data("data: 1\n\n");
  await answering;
  const waiting = relay.post("/v1/chat/completions", { model: "m" });
  await relay.requests(2);
  await using stranger = await startV2Worker(relay, { instance: "i-2", slots: 1, models: ["other"] });
  await using renewed = await startV2Worker(relay, { instance: "i-1", slots: 1 });
  expect(await old.closedByRelay()).toEqual({ code: 1000, reason: "superseded by a newer connection of the same worker" });
  (await renewed.nextJob()).answer();
  expect((await waiting).status).toBe(200);
  expect(await (await answering).text().catch(() => "broken")).toBe("broken");
  expect(relay.hub.fleet.workers.size).toBe(2);
  expect(stranger.end).toBeNull();
  expect(relay.hub.fleet.catalogue.models()).toEqual(["m", "other"]);
});

test("[W2] a connection that was superseded has no say any more", async () => {
  await using relay = startTestRelay();
  await using old = await startV2Worker(relay, { instance: "i-1", slots: 1 });
  const response = relay.post("/v1/chat/completions", { model: "m" });
  const stale = await old.nextJob();
  await using renewed = await startV2Worker(relay, { instance: "i-1", slots: 1 });
  stale.answer('"stale"');
  old.send({ type: "models_update", models: [] });
  const job = await renewed.nextJob();
  job.answer('"fresh"');
  expect(await (await response).json()).toBe("fresh");
  await old.closedByRelay();
  expect(relay.hub.fleet.catalogue.models()).toEqual(["m"]);
});
