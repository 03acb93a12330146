// When requests start, how many at a time, and what their latencies count from; under a clock moved by hand.
import { expect, test } from "bun:test";
import { intendedStarts } from "../../src/load/arrivals.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { Random } from "../support/random.ts";
import { loadStandIn } from "./rig.ts";

test("[J1] a closed loop sends its next request when an answer is there, and counts each request once", async () => {
  const clock = new ManualClock();
  const server = loadStandIn(clock, 50, { requests: 5 });
  const end = await server.end();
  expect(server.sentMs).toEqual([0, 50, 100, 150, 200]);
  expect(end).toMatchObject({ started: 5, hungUp: 0, notStarted: 0, warmedUp: 0 });
  expect(server.tally).toMatchObject({ ok: 5, failed: 0 });
  expect(server.tally.latency.summary()).toMatchObject({ count: 5, p50: 50, max: 50 });
});

test("[J2] never are there more connections or requests at a time than allowed, and never fewer while there is work", async () => {
  const server = loadStandIn(new ManualClock(), 10, { requests: 100, concurrency: 7 });
  const end = await server.end();
  expect([server.connections(), server.highest(), server.sentMs.length, end.started]).toEqual([7, 7, 100, 100]);
});

test("[J5] an open loop starts requests when they are meant to, whatever became of those before", async () => {
  const server = loadStandIn(new ManualClock(), 500, { requests: 20, concurrency: 100, arrivals: { perSecond: 100, spacing: "constant" } });
  await server.end();
  expect(server.sentMs).toEqual(Array.from({ length: 20 }, (_, index) => index * 10));
  expect(server.highest()).toBe(20);
  expect(server.tally.latency.summary()).toMatchObject({ p50: 500, max: 500 });
});

test("[J5] a request that waits for a free connection has waited: latency counts from the intended start", async () => {
  const server = loadStandIn(new ManualClock(), 50, { requests: 10, concurrency: 1, arrivals: { perSecond: 100, spacing: "constant" } });
  await server.end();
  expect(server.sentMs).toEqual(Array.from({ length: 10 }, (_, index) => index * 50));
  // Each is 40 ms later than the one before: sent every 50 ms, meant to be sent every 10.
  expect(server.tally.latency.summary()).toMatchObject({ count: 10, p50: 50 + 4 * 40, max: 50 + 9 * 40 });
  expect(server.tally.startDelay.summary()).toMatchObject({ p50: 4 * 40, max: 9 * 40 });
});

test("[J5] what was due but found no free connection by the end is counted as not started", async () => {
  const server = loadStandIn(new ManualClock(), 300, {
    requests: null,
    durationMs: 1_000,
    arrivals: { perSecond: 100, spacing: "constant" },
  });
  const end = await server.end();
  expect(server.sentMs).toEqual([0, 300, 600, 900]);
  expect(end).toMatchObject({ started: 4, notStarted: 96, elapsedMs: 1_200 });
});

test("[J5] few connections are kept warm: an open loop opens another one only when none is free", async () => {
  const server = loadStandIn(new ManualClock(), 5, { requests: 50, concurrency: 40, arrivals: { perSecond: 100, spacing: "constant" } });
  await server.end();
  expect(server.connections()).toBe(1);
  const arrivals = { perSecond: 10, spacing: "constant" } as const;
  const warmed = loadStandIn(new ManualClock(), 5, { requests: 20, warmUp: 5, concurrency: 5, arrivals });
  await warmed.end();
  expect([warmed.connections(), new Set(warmed.sentOver.slice(5)).size]).toEqual([5, 1]);
});

test("[J5] starts at random come at the rate that was asked for, with the spread that chance has", () => {
  const random = new Random(7);
  const starts = intendedStarts({ perSecond: 200, spacing: "poisson" }, () => random.next() / 2 ** 32);
  const gaps: number[] = [];
  for (let last = starts.next().value; gaps.length < 20_000;) {
    const next = starts.next().value;
    gaps.push(next - last);
    last = next;
  }
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
  expect(mean).toBeWithin(4.9, 5.1);
  expect(deviation / mean).toBeWithin(0.97, 1.03);
});

test("[J5] a load of so many seconds lasts them, and starts nothing after them", async () => {
  const closed = loadStandIn(new ManualClock(), 300, { requests: null, durationMs: 1_000 });
  expect(await closed.end()).toMatchObject({ started: 4, elapsedMs: 1_200 });
  const seldom = loadStandIn(new ManualClock(), 10, {
    requests: null,
    durationMs: 10_000,
    arrivals: { perSecond: 0.25, spacing: "constant" },
  });
  expect(await seldom.end()).toMatchObject({ started: 3, notStarted: 0, elapsedMs: 10_000 });
  const both = loadStandIn(new ManualClock(), 300, { requests: 2, durationMs: 1_000 });
  expect(await both.end()).toMatchObject({ started: 2, elapsedMs: 600 });
});

test("[J6] what warms up is sent before, and not measured", async () => {
  const server = loadStandIn(new ManualClock(), 10, { requests: 6, warmUp: 4, concurrency: 2 });
  const end = await server.end();
  expect(server.sentMs).toEqual([0, 0, 10, 10, 20, 20, 30, 30, 40, 40]);
  expect(end).toMatchObject({ started: 6, warmedUp: 4, elapsedMs: 30 });
  expect(server.tally).toMatchObject({ ok: 6 });
  expect(server.tally.latency.count).toBe(6);
});

test("[J3] a connection that was refused is not asked for again at once", async () => {
  const clock = new ManualClock();
  const server = loadStandIn(clock, "connect", { requests: 3 });
  await server.end();
  expect(server.sentMs).toEqual([0, 100, 200]);
  expect(server.tally).toMatchObject({ ok: 0, failed: 3 });
  expect(clock.pending).toBe(0);
});

test("[J10] a load that is stopped counts what was under way as hung up, and leaves no timer behind", async () => {
  const clock = new ManualClock();
  const server = loadStandIn(clock, 100, { requests: 50, concurrency: 3, timeoutMs: 5_000 });
  clock.advance(250);
  server.load.stop();
  expect(await server.load.finished).toMatchObject({ started: 9, hungUp: 3, elapsedMs: 250 });
  expect(server.tally.ok).toBe(6);
  // Those of the stand-ins.
  expect(clock.pending).toBe(3);
  // What the stand-ins still have to say is nobody's business any more.
  clock.advance(1_000);
  expect([server.tally.ok, server.tally.failed, clock.pending]).toEqual([6, 0, 0]);
});

/** Time passes while one looks at it, as it does in life. */
class RestlessClock extends ManualClock {
  #passedMs = 0;

  override nowMs(): number {
    this.#passedMs += 0.01;
    return super.nowMs() + this.#passedMs;
  }
}

test("[J5] no start is missed when its moment comes between two looks at the clock", async () => {
  const random = new Random(3);
  const server = loadStandIn(
    new RestlessClock(),
    1,
    { requests: null, durationMs: 20_000, concurrency: 50, arrivals: { perSecond: 300, spacing: "poisson" } },
    () => random.next() / 2 ** 32,
  );
  const { started, notStarted } = await server.end();
  expect(notStarted).toBe(0);
  expect(started).toBeWithin(5_700, 6_300);
});
