// Judging from pongs that an old worker has stopped what was cancelled, with time moved by hand.
import { expect, test } from "bun:test";
import { CancelProbe } from "../../src/link/cancel-probe.ts";
import { ManualClock } from "../support/manual-clock.ts";

function start() {
  const clock = new ManualClock();
  const pings: number[] = [];
  const probe = new CancelProbe(clock, () => {
    pings.push(clock.unixMs());
    return clock.unixMs();
  });
  return { clock, pings, probe };
}

test("[L6] a cancel is followed by a ping, and its pong accounts for it when the load is not above what is wanted", () => {
  const { clock, pings, probe } = start();
  probe.onCancelled("a");
  expect(pings).toHaveLength(1);
  expect(probe.onPong(1, 1, clock.unixMs())).toEqual(["a"]);
  probe.onGone("a");
  expect(probe.onPong(0, 0, clock.unixMs())).toEqual([]);
  expect(clock.pending).toBe(0);
});

test("[L6] a pong to a ping from before the cancel says nothing", () => {
  const { clock, probe } = start();
  const before = clock.unixMs();
  clock.advance(5);
  probe.onCancelled("a");
  expect(probe.onPong(0, 0, before)).toEqual([]);
  expect(probe.onPong(0, 0, clock.unixMs())).toEqual(["a"]);
});

test("[L6] a load above it is asked for again, ever less often, until the request is accounted for", () => {
  const { clock, pings, probe } = start();
  probe.onCancelled("a");
  const gaps: number[] = [];
  for (let round = 0; round < 8; round++) {
    const asked = pings.length;
    expect(probe.onPong(1, 0, clock.unixMs())).toEqual([]);
    expect(clock.pending).toBe(1);
    const startedMs = clock.nowMs();
    while (pings.length === asked) clock.advance(1);
    gaps.push(clock.nowMs() - startedMs);
  }
  expect(gaps).toEqual([50, 100, 200, 400, 800, 1_600, 2_000, 2_000]);
  expect(probe.onPong(0, 0, clock.unixMs())).toEqual(["a"]);
});

test("[L6] several are judged together, each by its own ping; a pong without a stamp answers the latest", () => {
  const { clock, probe } = start();
  probe.onCancelled("a");
  const first = clock.unixMs();
  clock.advance(10);
  probe.onCancelled("b");
  expect(probe.onPong(0, 0, first)).toEqual(["a"]);
  probe.onGone("a");
  expect(probe.onPong(0, 0, null)).toEqual(["b"]);
});

test("[L6] when the last one is gone, or the session ends, no timer is left", () => {
  const { clock, probe } = start();
  probe.onCancelled("a");
  probe.onPong(1, 0, clock.unixMs());
  expect(clock.pending).toBe(1);
  probe.onGone("a");
  expect(clock.pending).toBe(0);
  probe.onCancelled("b");
  probe.onPong(1, 0, clock.unixMs());
  probe.stop();
  expect(clock.pending).toBe(0);
});
