// Workers, live requests and numbers, over a relay with scripted workers and clients that wait.
import { expect, test } from "bun:test";
import { ManualClock } from "../support/manual-clock.ts";
import { until } from "../support/until.ts";
import { startV1Worker } from "../support/v1-worker.ts";
import { startV2Worker } from "../support/v2-worker.ts";
import { type AdminRig, errorOf, startAdminRig } from "./rig.ts";

interface WorkerBody {
  readonly worker_id: string;
  readonly worker_name: string;
  readonly in_flight_count: number;
  readonly is_draining: boolean;
}

interface RequestBody {
  readonly id: string;
  readonly request_id: string;
  readonly state: string;
  readonly position: number | null;
}

async function workersOf(rig: AdminRig): Promise<readonly WorkerBody[]> {
  return (JSON.parse(await (await rig.ask("/admin/workers")).text()) as { workers: WorkerBody[] }).workers;
}

async function requestsOf(rig: AdminRig, query = ""): Promise<{ readonly requests: readonly RequestBody[]; readonly total: number }> {
  return JSON.parse(await (await rig.ask(`/admin/requests${query}`)).text());
}

const post = (rig: AdminRig, path: string) => rig.ask(path, { method: "POST" });

test("[A3] workers are listed with what they said of themselves and what they work on", async () => {
  await using rig = await startAdminRig();
  expect(await rig.json("/admin/workers")).toEqual({ workers: [] });
  const register = { current_load: 3, unlisted_models: ["default"] };
  await using modern = await startV2Worker(rig.relay, { name: "<b>gpu</b> 4", models: ["a", "b/c:1", "default"], slots: 2, register });
  await using old = await startV1Worker(rig.relay, { name: "old box", models: ["z"], slots: 7 });
  const asked = rig.relay.post("/v1/chat/completions", { model: "z" });
  const job = await old.nextJob();
  const now = Math.floor(Date.now() / 1000);
  const usual = {
    provider: "local",
    address: "127.0.0.1",
    is_draining: false,
    connected_at: expect.any(Number),
    worker_id: expect.any(String),
  };
  const list = await rig.json("/admin/workers");
  expect(list).toEqual({
    workers: [
      {
        ...usual,
        worker_name: "<b>gpu</b> 4",
        models: ["a", "b/c:1", "default"],
        unlisted_models: ["default"],
        max_concurrent: 2,
        reported_load: 3,
        in_flight_count: 0,
        protocol: "2026-11-bridge-v2",
        version: "scripted",
      },
      {
        ...usual,
        worker_name: "old box",
        models: ["z"],
        unlisted_models: [],
        max_concurrent: 7,
        reported_load: 0,
        in_flight_count: 1,
        protocol: "2026-04-bridge-v1",
        version: null,
      },
    ],
  } as never);
  for (const { connected_at } of (list as { workers: { connected_at: number }[] }).workers) {
    expect(Number.isInteger(connected_at)).toBe(true);
    expect(Math.abs(connected_at - now)).toBeLessThan(10);
  }
  job.complete(200, { body: "{}" });
  expect((await asked).status).toBe(200);
  await until(async () => (await workersOf(rig))[1]!.in_flight_count === 0, "nothing is in flight");
  void modern;
});

test("[A4] a drained worker finishes what it has and gets nothing new until it is resumed", async () => {
  await using rig = await startAdminRig();
  await using worker = await startV2Worker(rig.relay, { models: ["m"], slots: 4 });
  const [{ worker_id }] = (await workersOf(rig)) as [WorkerBody];
  const first = rig.relay.post("/v1/chat/completions", { model: "m" });
  const running = await worker.nextJob();

  const drained = await post(rig, `/admin/workers/${worker_id}/drain`);
  expect([drained.status, await drained.json()]).toMatchObject([200, { worker_id, is_draining: true, in_flight_count: 1 }]);
  const second = rig.relay.post("/v1/chat/completions", { model: "m" });
  await rig.relay.requests(2);
  running.answer("{}");
  expect((await first).status).toBe(200);
  expect((await requestsOf(rig)).requests).toMatchObject([{ state: "queued", position: 1 }]);
  expect(worker.jobs.length).toBe(1);

  const resumed = await post(rig, `/admin/workers/${worker_id}/resume`);
  expect([resumed.status, await resumed.json()]).toMatchObject([200, { worker_id, is_draining: false }]);
  (await worker.nextJob()).answer("{}");
  expect((await second).status).toBe(200);
});

test("[A4] a worker that is asked to refresh gets models_refresh, and what it finds is listed", async () => {
  await using rig = await startAdminRig();
  await using worker = await startV2Worker(rig.relay, { models: ["m"] });
  const [{ worker_id }] = (await workersOf(rig)) as [WorkerBody];
  const response = await post(rig, `/admin/workers/${worker_id}/refresh`);
  expect([response.status, await response.json()]).toMatchObject([202, { worker_id }]);
  await worker.next("models_refresh");
  worker.send({ type: "models_update", models: ["m", "new"], current_load: 0 });
  await until(async () => JSON.stringify(await workersOf(rig)).includes('"new"'), "the new model is listed");
});

test("[A4] a worker that is not there is 404, whatever it is called", async () => {
  await using rig = await startAdminRig();
  for (const verb of ["drain", "resume", "refresh"]) {
    for (const id of ["w1-00000000", "__proto__", "constructor", "%3Cscript%3E", "x".repeat(5_000)]) {
      const response = await post(rig, `/admin/workers/${id}/${verb}`);
      const error = await errorOf(response);
      expect([response.status, error.code]).toEqual([404, "not_found"]);
      expect(error.message.length).toBeLessThan(200);
    }
  }
});

test("[A5] live requests are listed, the oldest first, with what they are and where they stand, and nothing of their content", async () => {
  await using rig = await startAdminRig();
  await using worker = await startV2Worker(rig.relay, { name: "box", models: ["m"], slots: 2 });
  const canary = "canary-of-the-prompt";
  const send = (isStreaming: boolean, id: string) =>
    rig.relay.post(
      `/v1/chat/completions?token=${canary}`,
      { model: "m", stream: isStreaming, prompt: canary },
      { headers: { "x-request-id": id, authorization: `Bearer ${canary}` } },
    );
  const streaming = send(true, "first");
  const answering = await worker.nextJob();
  answering.startStream();
  answering.data("data: 1\n\n");
  const response = await streaming;
  const plain = send(false, "second");
  const dispatched = await worker.nextJob();
  const waiting = send(false, "third");
  const alsoWaiting = send(false, "fourth");
  await rig.relay.requests(4);
  await until(async () => (await requestsOf(rig)).requests[0]!.state === "answering", "the first request is answered");

  const text = await (await rig.ask("/admin/requests")).text();
  expect(text).not.toContain(canary);
  const usual = {
    key_id: null,
    model: "m",
    path: "/v1/chat/completions",
    age_secs: expect.any(Number),
    arrived_at: expect.any(Number),
    id: expect.any(String),
  };
  const [box] = (await workersOf(rig)) as [WorkerBody];
  const there = { worker_id: box.worker_id, worker_name: "box", attempts: 1, position: null };
  const queued = { worker_id: null, worker_name: null, attempts: 0, state: "queued", is_streaming: false };
  expect(JSON.parse(text)).toEqual({
    requests: [
      { ...usual, request_id: "first", is_streaming: true, state: "answering", ...there },
      { ...usual, request_id: "second", is_streaming: false, state: "dispatched", ...there },
      { ...usual, ...queued, request_id: "third", position: 1 },
      { ...usual, ...queued, request_id: "fourth", position: 2 },
    ],
    total: 4,
  } as never);
  expect(box.in_flight_count).toBe(2);
  const listed = await requestsOf(rig, "?limit=3");
  expect([listed.requests.map(({ request_id }) => request_id), listed.total]).toEqual([["first", "second", "third"], 4]);

  answering.end();
  await response.text();
  dispatched.answer("{}");
  for (const job of [await worker.nextJob(), await worker.nextJob()]) job.answer("{}");
  expect((await Promise.all([plain, waiting, alsoWaiting])).map(({ status }) => status)).toEqual([200, 200, 200]);
});

test("[A5] a limit that is none is refused and says what is allowed", async () => {
  await using rig = await startAdminRig();
  for (const limit of ["0", "1001", "-1", "1.5", "x", "", "1e3"]) {
    const response = await rig.ask(`/admin/requests?limit=${limit}`);
    expect([limit, response.status, (await errorOf(response)).message]).toEqual([
      limit,
      400,
      "The request could not be read. Parameter 'limit' must be a whole number from 1 to 1000.",
    ]);
  }
});

test("[A5] a cancelled request ends with the error cancelled, waiting or running; its worker is told to stop", async () => {
  await using rig = await startAdminRig();
  await using worker = await startV2Worker(rig.relay, { models: ["m"], slots: 1 });
  const running = rig.relay.post("/v1/chat/completions", { model: "m" });
  const job = await worker.nextJob();
  const waiting = rig.relay.post("/v1/messages", { model: "m" });
  await rig.relay.requests(2);
  const { requests } = await requestsOf(rig);
  for (const { id, request_id } of requests.toReversed()) {
    const response = await post(rig, `/admin/requests/${id}/cancel`);
    expect([response.status, await response.json()]).toEqual([202, { id, request_id }]);
  }
  const error = await errorOf(await running);
  expect([(await running).status, error.code, error.message]).toEqual([503, "cancelled", "An operator cancelled this request."]);
  expect(await (await waiting).json()).toMatchObject({ type: "error", error: { message: "An operator cancelled this request." } });
  await until(() => job.isCancelled, "the worker is told to stop");
  for (const id of [requests[0]!.id, "r999", "__proto__"]) expect((await post(rig, `/admin/requests/${id}/cancel`)).status).toBe(404);
});

test("[A5] a stream that is cancelled breaks off with the error in it", async () => {
  await using rig = await startAdminRig();
  await using worker = await startV2Worker(rig.relay, { models: ["m"] });
  const asked = rig.relay.post("/v1/chat/completions", { model: "m", stream: true });
  const job = await worker.nextJob();
  job.startStream();
  job.data("data: 1\n\n");
  const response = await asked;
  const [{ id }] = (await requestsOf(rig)).requests as [RequestBody];
  let seen = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const bytes of response.body!) seen += decoder.decode(bytes, { stream: true });
  })().catch(() => "broken off");
  expect((await post(rig, `/admin/requests/${id}/cancel`)).status).toBe(202);
  expect(await reading).toBe("broken off");
  expect(seen).toContain('"code":"cancelled"');
  await until(() => job.isCancelled, "the worker is told to stop");
});

test("[A10] the numbers: queue by provider and model, workers, requests by outcome", async () => {
  await using rig = await startAdminRig();
  expect(await rig.json("/admin/stats")).toMatchObject({
    queue_depth: { local: 0 },
    queue_depth_by_model: {},
    active_workers: 0,
    workers: [],
    requests: { accepted: 0, waiting: 0, running: 0, requeued: 0, by_outcome: {} },
  });
  await using worker = await startV2Worker(rig.relay, { name: "box", models: ["m", "__proto__"], slots: 1 });
  const first = rig.relay.post("/v1/chat/completions", { model: "m" });
  const job = await worker.nextJob();
  const others = ["m", "__proto__", "__proto__"].map((model) => rig.relay.post("/v1/chat/completions", { model }));
  await rig.relay.requests(4);
  const text = await (await rig.ask("/admin/stats")).text();
  expect(text).toContain('"__proto__":2');
  expect(JSON.parse(text)).toMatchObject({
    queue_depth: { local: 3 },
    active_workers: 1,
    workers: [{ worker_name: "box", in_flight_count: 1, max_concurrent: 1, is_draining: false }],
    requests: { accepted: 4, waiting: 3, running: 1 },
    ignored_frames: 0,
    uptime_secs: expect.any(Number),
    version: expect.any(String),
  } as never);
  job.answer("{}");
  for (const _ of others) (await worker.nextJob()).answer("{}");
  await Promise.all([first, ...others]);
  expect(await rig.json("/admin/stats")).toMatchObject({ queue_depth: { local: 0 }, requests: { by_outcome: { complete: 4 } } });
});

test("[A10] looking on while requests come, wait and go: every answer adds up", async () => {
  await using rig = await startAdminRig();
  await using worker = await startV2Worker(rig.relay, { models: ["m"], slots: 4 });
  const requests = Array.from({ length: 40 }, () => rig.relay.post("/v1/chat/completions", { model: "m" }));
  const serving = (async () => {
    for (const _ of requests) (await worker.nextJob()).answer("{}");
  })();
  const looks = await Promise.all(
    Array.from({ length: 30 }, async () => {
      const stats: unknown = await rig.json("/admin/stats");
      const [list, workers] = await Promise.all([requestsOf(rig), workersOf(rig)]);
      return { stats, list, workers };
    }),
  );
  for (const { stats, list, workers } of looks) {
    const { accepted, waiting, running, by_outcome } = (
      stats as { requests: { accepted: number; waiting: number; running: number; by_outcome: { complete?: number } } }
    ).requests;
    expect(waiting + running + (by_outcome.complete ?? 0)).toBe(accepted);
    expect(list.requests.length).toBe(list.total);
    expect(workers[0]!.in_flight_count).toBeLessThanOrEqual(4);
  }
  await Promise.all([serving, ...requests]);
});

test("[A7] a body that does not come within 10 s is refused with body_timeout", async () => {
  const clock = new ManualClock();
  await using rig = await startAdminRig({ clock });
  const { promise: end, resolve: finish } = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      controller.enqueue(new TextEncoder().encode('{"name":'));
      await end;
      controller.close();
    },
  });
  const asked = rig.ask("/admin/keys", { method: "POST", body });
  await until(() => clock.pending === 1, "the body is waited for");
  clock.advance(9_999);
  expect(clock.pending).toBe(1);
  clock.advance(1);
  const response = await asked;
  expect([response.status, (await errorOf(response)).code]).toEqual([408, "body_timeout"]);
  finish();
});
