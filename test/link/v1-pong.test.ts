// What a v1 pong can and cannot say of a cancelled request when newer ones were sent behind its ping.
import { expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { turns, until } from "../support/until.ts";
import { startV1Worker } from "../support/v1-worker.ts";

test("[L6] a request sent after the ping does not hide the one that still runs", async () => {
  await using relay = startTestRelay();
  await using worker = await startV1Worker(relay, { slots: 2, isMute: true });
  using leaving = await RawClient.connect(relay);
  leaving.post("/v1/chat/completions", { model: "m" });
  await worker.nextJob();
  leaving.cut();
  const ping = await worker.next("ping");
  const second = relay.post("/v1/chat/completions", { model: "m" });
  const running = await worker.nextJob();
  const third = relay.post("/v1/chat/completions", { model: "m" });
  await relay.requests(2);
  // The load is that of the cancelled request alone: the worker had not seen the second one when it was pinged.
  worker.send({ type: "pong", current_load: 1, timestamp_unix_ms: ping["timestamp_unix_ms"] });
  await worker.next("ping", 1);
  await turns(3);
  expect(worker.jobs).toHaveLength(2);
  const again = await worker.next("ping", 1);
  worker.send({ type: "pong", current_load: 1, timestamp_unix_ms: again["timestamp_unix_ms"] });
  await until(() => worker.jobs.length === 3, "the slot is free");
  running.complete(200, { body: "{}" });
  (await worker.nextJob()).complete(200, { body: "{}" });
  expect([(await second).status, (await third).status]).toEqual([200, 200]);
});

const HOUR_MS = 3_600_000;

test("[L6] a wall clock that is put back between a ping and the next changes nothing: the cancelled request is still accounted for", async () => {
  let backMs = 0;
  await using relay = startTestRelay({}, { clock: { ...systemClock, unixMs: () => Date.now() - backMs } });
  await using worker = await startV1Worker(relay, { slots: 2, slowAborts: 2 });
  const staying = relay.post("/v1/chat/completions", { model: "m" });
  const running = await worker.nextJob();
  using leaving = await RawClient.connect(relay);
  leaving.post("/v1/chat/completions", { model: "m" });
  await worker.nextJob();
  leaving.cut();
  // The first pong still counts it, so the relay asks again: with the clock put back.
  await worker.next("ping");
  backMs = HOUR_MS;
  const next = relay.post("/v1/chat/completions", { model: "m" });
  (await worker.nextJob()).complete(200, { body: "{}" });
  expect((await next).status).toBe(200);
  running.complete(200, { body: "{}" });
  expect((await staying).status).toBe(200);
});

test("[L6] a request sent before the wall clock was put back counts as wanted", async () => {
  let backMs = 0;
  await using relay = startTestRelay({}, { clock: { ...systemClock, unixMs: () => Date.now() - backMs } });
  await using worker = await startV1Worker(relay, { slots: 2, slowAborts: 0 });
  const staying = relay.post("/v1/chat/completions", { model: "m" });
  const running = await worker.nextJob();
  using leaving = await RawClient.connect(relay);
  leaving.post("/v1/chat/completions", { model: "m" });
  await worker.nextJob();
  backMs = HOUR_MS;
  leaving.cut();
  const next = relay.post("/v1/chat/completions", { model: "m" });
  (await worker.nextJob()).complete(200, { body: "{}" });
  expect((await next).status).toBe(200);
  running.complete(200, { body: "{}" });
  expect((await staying).status).toBe(200);
});
