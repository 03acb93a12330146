// A clock that stands still until a test moves it.
import type { Clock, Timer } from "../../src/base/clock.ts";

interface Due {
  readonly atMs: number;
  readonly onDue: () => void;
}

export class ManualClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<Due>();

  nowMs(): number {
    return this.#nowMs;
  }

  unixMs(): number {
    return 1_800_000_000_000 + this.#nowMs;
  }

  startTimer(delayMs: number, onDue: () => void): Timer {
    const due = { atMs: this.#nowMs + Math.max(0, delayMs), onDue };
    this.#timers.add(due);
    return { stop: () => this.#timers.delete(due) };
  }

  /** Timers that were started and neither fired nor were stopped. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Milliseconds until each pending timer is due, soonest first. */
  get dueInMs(): readonly number[] {
    return [...this.#timers].map((due) => due.atMs - this.#nowMs).sort((a, b) => a - b);
  }

  /** Moves time on; timers fire in order, each at its own moment. */
  advance(byMs: number): void {
    const target = this.#nowMs + byMs;
    for (;;) {
      const [next] = [...this.#timers].filter((due) => due.atMs <= target).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.onDue();
    }
    this.#nowMs = target;
  }
}
