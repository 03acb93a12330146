// The system's clock, which knows how many of its timers are still to fire: what a test leaves behind shows here.
import { type Clock, systemClock } from "../../src/base/clock.ts";

export class CountingClock implements Clock {
  #pending = 0;

  /** Timers that were started and neither fired nor were stopped. */
  get pending(): number {
    return this.#pending;
  }

  nowMs(): number {
    return systemClock.nowMs();
  }

  unixMs(): number {
    return systemClock.unixMs();
  }

  startTimer(delayMs: number, onDue: () => void): { stop(): void } {
    let isPending = true;
    this.#pending++;
    const done = (): void => {
      if (isPending) this.#pending--;
      isPending = false;
    };
    const timer = systemClock.startTimer(delayMs, () => {
      done();
      onDue();
    });
    return {
      stop: () => {
        done();
        timer.stop();
      },
    };
  }
}
