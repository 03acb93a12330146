// A v2 worker that says it is full: asked at once when that may be over, and not believed without end.
import { expect, test } from "bun:test";
import { ManualClock } from "../support/manual-clock.ts";
import { startTestRelay, type TestRelay } from "../support/running-relay.ts";
import { until } from "../support/until.ts";
import { startV2Worker, type V2Worker } from "../support/v2-worker.ts";

const HEARTBEAT_MS = 1_000;

/** Resolves once the relay has taken everything the worker sent so far. */
async function heard(relay: TestRelay, worker: V2Worker): Promise<void> {
  const before = relay.hub.counters.ignoredFrames;
  worker.send({ type: "something new" });
  await until(() => relay.hub.counters.ignoredFrames === before + 1, "the relay hears it");
}

test("[R3] a worker that is free by its pongs and full by its rejections is tried once per heartbeat", async () => {
  const clock = new ManualClock();
  await using relay = startTestRelay({ heartbeatIntervalMs: HEARTBEAT_MS }, { clock });
  await using worker = await startV2Worker(relay, { slots: 1, answersPings: false });
  const response = relay.post("/v1/chat/completions", { model: "m" });
  (await worker.nextJob()).reject("full");
  await worker.next("ping");
  worker.pong();
  for (let beat = 1; beat <= 4; beat++) {
    (await worker.nextJob()).reject("full");
    // Reports nobody asked for are worth no more.
    worker.pong();
    worker.send({ type: "models_update", models: ["m"], current_load: 0 });
    await heard(relay, worker);
    clock.advance(HEARTBEAT_MS);
    await worker.next("ping", beat);
    expect(worker.jobs).toHaveLength(1 + beat);
    expect(worker.of("ping")).toHaveLength(1 + beat);
    worker.pong();
  }
  (await worker.nextJob()).answer();
  expect((await response).status).toBe(200);
});

test("[R3] a worker that was full for a moment is asked at once, again after each answer it gave", async () => {
  const clock = new ManualClock();
  await using relay = startTestRelay({ heartbeatIntervalMs: HEARTBEAT_MS }, { clock });
  await using worker = await startV2Worker(relay, { slots: 1 });
  for (let round = 1; round <= 3; round++) {
    const response = relay.post("/v1/chat/completions", { model: "m" });
    (await worker.nextJob()).reject("full");
    (await worker.nextJob()).answer();
    expect((await response).status).toBe(200);
    expect(worker.of("ping")).toHaveLength(round);
  }
});

test("[R3] requests that were under way together and were all rejected are one such moment", async () => {
  const clock = new ManualClock();
  await using relay = startTestRelay({ heartbeatIntervalMs: HEARTBEAT_MS }, { clock });
  await using worker = await startV2Worker(relay, { slots: 3 });
  const responses = [1, 2, 3].map(() => relay.post("/v1/chat/completions", { model: "m" }));
  const rejected = [await worker.nextJob(), await worker.nextJob(), await worker.nextJob()];
  for (const job of rejected) job.reject("full");
  for (const _ of rejected) (await worker.nextJob()).answer();
  for (const response of responses) expect((await response).status).toBe(200);
  expect(worker.of("ping")).toHaveLength(1);
});
