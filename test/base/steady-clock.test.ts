// Time that a process was not there for does not count.
import { expect, test } from "bun:test";
import type { Clock } from "../../src/base/clock.ts";
import { startSteadyClock } from "../../src/base/steady-clock.ts";
import { ManualClock } from "../support/manual-clock.ts";

/** A clock that can jump, as when a stopped process goes on: time has passed, and no timer has fired meanwhile. */
class JumpingClock extends ManualClock {
  #jumpedMs = 0;

  override nowMs(): number {
    return super.nowMs() + this.#jumpedMs;
  }

  jump(byMs: number): void {
    this.#jumpedMs += byMs;
  }
}

function start(): { readonly real: JumpingClock; readonly steady: Clock & { stop(): void } } {
  const real = new JumpingClock();
  return { real, steady: startSteadyClock(real) };
}

test("[C6] time that passes is counted, however seldom it is asked for", () => {
  const { real, steady } = start();
  real.advance(3_600_000);
  expect(steady.nowMs()).toBe(3_600_000);
});

test("[C6] of a standstill a moment counts, however long it was, and afterwards time goes on as ever", () => {
  const { real, steady } = start();
  real.advance(10_000);
  real.jump(60_000);
  expect(steady.nowMs()).toBe(11_000);
  real.advance(5_000);
  expect(steady.nowMs()).toBe(16_000);
  real.jump(700);
  expect(steady.nowMs()).toBe(16_700);
});

test("[C6] it never goes back, and the time of day is left alone", () => {
  const { real, steady } = start();
  let lastMs = steady.nowMs();
  for (const step of [0, 1, 5_000, 20, 0, 900_000, 3]) {
    real.jump(step);
    const nowMs = steady.nowMs();
    expect(nowMs).toBeGreaterThanOrEqual(lastMs);
    lastMs = nowMs;
  }
  expect(steady.unixMs()).toBe(real.unixMs());
});

test("[C6] once it is stopped nothing of it is left", () => {
  const { real, steady } = start();
  expect(real.pending).toBe(1);
  steady.stop();
  expect(real.pending).toBe(0);
});
