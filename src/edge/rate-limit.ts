// Requests per minute of one API key: counted by the second, so that no minute holds more than the limit and room is known ahead.
import type { Clock } from "../base/clock.ts";

/** One second more than a minute: the oldest one has begun at any moment of it. */
const SECONDS = 61;
/** Keys come from our own store; the cap only guards against keeping those that are long gone. */
const KEYS_MAX = 10_000;

interface Window {
  /** Requests in each of the last seconds, at its number modulo SECONDS. */
  readonly counts: Uint32Array;
  lastSecond: number;
  total: number;
}

export class RateLimit {
  readonly #clock: Clock;
  /** In the order of their last use. */
  readonly #windows = new Map<string, Window>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts one request of `key`. 0 when it is within `perMinute`; else the seconds after which there is room again. */
  take(key: string, perMinute: number): number {
    const nowSecs = this.#clock.nowMs() / 1000;
    const second = Math.floor(nowSecs);
    const window = this.#windowOf(key, second);
    if (window.total < perMinute) {
      window.counts[second % SECONDS]!++;
      window.total++;
      return 0;
    }
    let left = window.total;
    let oldest = second - SECONDS + 1;
    for (; left >= perMinute && oldest <= second; oldest++) left -= window.counts[mod(oldest)]!;
    return Math.max(1, Math.ceil(oldest - 1 + SECONDS - nowSecs));
  }

  #windowOf(key: string, second: number): Window {
    const window = this.#windows.get(key) ?? { counts: new Uint32Array(SECONDS), lastSecond: second, total: 0 };
    this.#windows.delete(key);
    if (this.#windows.size >= KEYS_MAX) {
      const [longestUnused] = this.#windows.keys();
      if (longestUnused !== undefined) this.#windows.delete(longestUnused);
    }
    this.#windows.set(key, window);
    for (let passed = Math.max(window.lastSecond + 1, second - SECONDS + 1); passed <= second; passed++) {
      window.total -= window.counts[passed % SECONDS]!;
      window.counts[passed % SECONDS] = 0;
    }
    window.lastSecond = second;
    return window;
  }
}

/** A second before the clock's beginning counts nothing, but has its place. */
function mod(second: number): number {
  return (second + SECONDS) % SECONDS;
}
