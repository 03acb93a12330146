// Time as an argument, so that tests can move it by hand.

/** A timer that was started; stopping it twice, or after it fired, does nothing. */
export interface Timer {
  stop(): void;
}

export interface Clock {
  /** Monotonic milliseconds since an arbitrary start; never goes back. */
  nowMs(): number;
  /** Wall-clock milliseconds since 1970, for logs and answers only. */
  unixMs(): number;
  /** Calls `onDue` once after `delayMs` (at least 0). */
  startTimer(delayMs: number, onDue: () => void): Timer;
}

// setTimeout fires at once when its delay does not fit into 31 bits.
const LONGEST_DELAY_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  unixMs: () => Date.now(),
  startTimer(delayMs, onDue) {
    const handle = setTimeout(onDue, Math.min(Math.max(delayMs, 0), LONGEST_DELAY_MS));
    return { stop: () => clearTimeout(handle) };
  },
};
