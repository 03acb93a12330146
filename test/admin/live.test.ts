// Workers, live requests and numbers, over a relay with scripted workers and clients that wait.
import { expect, test } from "bun:test";
import { until } from "../support/until.ts";
import { startV1Worker } from "../support/v1-worker.ts";
import { startV2Worker } from "../support/v2-worker.ts";
import { type AdminRig, errorOf, startAdminRig } from "./rig.ts";

interface WorkerBody {
  readonly worker_id: string;
  readonly worker_name: string;
  readonly in_flight_count: number;
  readonly is_draining: boolean;
  readonly connected_at: number;
}

interface RequestBody {
  readonly id: string;
  readonly request_id: string;
  readonly state: string;
  readonly position: number | null;
}

async function workersOf(rig: AdminRig): Promise<readonly WorkerBody[]> {
  return (await rig.json<{ readonly workers: readonly WorkerBody[] }>("/admin/workers")).workers;
}

async function requestsOf(rig: AdminRig, query = ""): Promise<{ readonly requests: readonly RequestBody[]; readonly total: number }> {
  return await rig.json(`/admin/requests${query}`);
}

/** The only worker there is. */
async function workerOf(rig: AdminRig): Promise<WorkerBody> {
  const workers = await workersOf(rig);
  expect(workers.length).toBe(1);
  return workers[0]!;
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
    last_heartbeat_at: expect.any(Number),
    cooling_down: false,
    worker_id: expect.any(String),
  };
  const list: unknown = await rig.json("/admin/workers");
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
        slots_taken: 0,
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
        slots_taken: 1,
        protocol: "2026-04-bridge-v1",
        version: null,
      },
    ],
  });
  for (const { connected_at } of await workersOf(rig)) {
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
  const { worker_id } = await workerOf(rig);
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

test("[A4] a worker that drains by its own word is not resumed: it would take nothing", async () => {
  await using rig = await startAdminRig();
  await using worker = await startV2Worker(rig.relay, { models: ["m"] });
  const { worker_id } = await workerOf(rig);
  worker.send({ type: "draining" });
  await until(async () => (await workerOf(rig)).is_draining, "the relay heard it");
  const resumed = await post(rig, `/admin/workers/${worker_id}/resume`);
  expect([resumed.status, await resumed.json()]).toMatchObject([400, { error: { code: "invalid_request" } }]);
  expect((await workerOf(rig)).is_draining).toBe(true);
});

test("[A4] a worker that is asked to refresh gets models_refresh, and what it finds is listed", async () => {
  await using rig = await startAdminRig();
  await using worker = await startV2Worker(rig.relay, { models: ["m"] });
  const { worker_id } = await workerOf(rig);
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
  const box = await workerOf(rig);
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
  });
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
  const { id } = (await requestsOf(rig)).requests[0]!;
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
