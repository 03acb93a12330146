// For what waits and looks again: time passes as soon as somebody waits for it.
import type { Clock } from "../../src/base/clock.ts";
import { ManualClock } from "./manual-clock.ts";

export function hastyClock(): Clock {
  const clock = new ManualClock();
  return {
    nowMs: () => clock.nowMs(),
    unixMs: () => clock.unixMs(),
    startTimer(delayMs, onDue) {
      const timer = clock.startTimer(delayMs, onDue);
      queueMicrotask(() => clock.advance(delayMs));
      return timer;
    },
  };
}
