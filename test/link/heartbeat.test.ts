// Signs of life: pings at the interval, and a worker that gives none for three of them is lost.
import { expect, test } from "bun:test";
import { ManualClock } from "../support/manual-clock.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { until } from "../support/until.ts";
import { startV1Worker } from "../support/v1-worker.ts";
import { startV2Worker } from "../support/v2-worker.ts";

const HEARTBEAT_MS = 15_000;

// A worker that says nothing at all: credit for the request's body would be a sign of life, and come when it likes.
for (const [protocol, start] of [
  ["v1", () => async (relay: Parameters<typeof startV1Worker>[0]) => await startV1Worker(relay, { isMute: true })],
  [
    "v2",
    () => async (relay: Parameters<typeof startV2Worker>[0]) => await startV2Worker(relay, { answersPings: false, isGenerous: false }),
  ],
] as const) {
  test(`[L5] [W1] a ${protocol} worker without a sign of life for three heartbeats is closed, and its requests go elsewhere`, async () => {
    const clock = new ManualClock();
    await using relay = startTestRelay({ heartbeatIntervalMs: HEARTBEAT_MS }, { clock });
    await using silent = await start()(relay);
    const response = relay.post("/v1/chat/completions", { model: "m" });
    await silent.next("request");
    for (let beat = 0; beat < 2; beat++) {
      clock.advance(HEARTBEAT_MS);
      await silent.next("ping", beat);
    }
    expect(relay.hub.fleet.workers.size).toBe(1);
    clock.advance(HEARTBEAT_MS);
    expect(relay.hub.fleet.workers.size).toBe(0);
    expect(await silent.closedByRelay()).toEqual({ code: 1000, reason: "worker heartbeat timed out" });
    expect(relay.log.of("worker heartbeat timed out")).toHaveLength(1);
    await using other = await startV2Worker(relay);
    (await other.nextJob()).answer();
    expect((await response).headers.get("x-modelrelay-attempts")).toBe("2");
  });
}

test("[L5] any traffic is a sign of life", async () => {
  const clock = new ManualClock();
  await using relay = startTestRelay({ heartbeatIntervalMs: HEARTBEAT_MS }, { clock });
  await using worker = await startV2Worker(relay, { answersPings: false });
  const before = relay.hub.counters.ignoredFrames;
  for (let beat = 0; beat < 10; beat++) {
    worker.send({ type: "something new", beat });
    await until(() => relay.hub.counters.ignoredFrames === before + beat + 1, "the relay hears it");
    clock.advance(HEARTBEAT_MS);
  }
  expect(relay.hub.fleet.workers.size).toBe(1);
});

test("[L5] a real interval: pings come by themselves, and an answering worker stays", async () => {
  await using relay = startTestRelay({ heartbeatIntervalMs: 10 });
  await using worker = await startV1Worker(relay);
  await worker.next("ping", 8);
  expect(relay.hub.fleet.workers.size).toBe(1);
});
