// Requests per minute of one API key: a sliding window in two counters, so that no minute holds more than the limit.
import type { Clock } from "../base/clock.ts";

const WINDOW_MS = 60_000;
/** Keys come from our own store; the cap only guards against keeping those that are long gone. */
const KEYS_MAX = 10_000;

interface Window {
  startMs: number;
  count: number;
  before: number;
}

export class RateLimit {
  readonly #clock: Clock;
  readonly #windows = new Map<string, Window>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts one request of `key`. 0 when it is within `perMinute`; else the seconds after which it is worth trying again. */
  take(key: string, perMinute: number): number {
    const nowMs = this.#clock.nowMs();
    const window = this.#windowOf(key, nowMs);
    const passed = (nowMs - window.startMs) / WINDOW_MS;
    const recent = window.before * (1 - passed) + window.count;
    if (recent + 1 <= perMinute) {
      window.count++;
      return 0;
    }
    return Math.max(1, Math.ceil(((1 - passed) * WINDOW_MS) / 1000));
  }

  #windowOf(key: string, nowMs: number): Window {
    const known = this.#windows.get(key);
    if (known !== undefined && nowMs - known.startMs < WINDOW_MS) return known;
    const elapsed = known === undefined ? Infinity : nowMs - known.startMs;
    const isNext = known !== undefined && elapsed < 2 * WINDOW_MS;
    const window = isNext ? { startMs: known.startMs + WINDOW_MS, count: 0, before: known.count } : { startMs: nowMs, count: 0, before: 0 };
    if (this.#windows.size >= KEYS_MAX) this.#windows.clear();
    this.#windows.set(key, window);
    return window;
  }
}
