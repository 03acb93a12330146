// A clock that stands still while the process does: a paused container, a Ctrl+Z, a machine that swaps.
import type { Clock, Timer } from "./clock.ts";

export interface SteadyClock extends Clock {
  stop(): void;
}

/**
 * What the others said while this process stood still lies unread in its sockets. Were that time counted, deadlines would pass before any
 * of it is read: workers would be closed for answers they gave, and streams cut for silence that was ours. So `nowMs` moves on by at most
 * STEP_MAX_MS between two looks at the other clock, which is looked at every BEAT_MS. Timers are those of the other clock: after a
 * standstill they fire too early by this one, and whoever was to wait longer has to look again.
 */
export function startSteadyClock(clock: Clock): SteadyClock {
  let seenMs = clock.nowMs();
  let lostMs = 0;
  const nowMs = (): number => {
    const realMs = clock.nowMs();
    lostMs += Math.max(0, realMs - seenMs - STEP_MAX_MS);
    seenMs = realMs;
    return realMs - lostMs;
  };
  let beat: Timer;
  const look = (): void => {
    nowMs();
    beat = clock.startTimer(BEAT_MS, look);
  };
  look();
  return {
    nowMs,
    unixMs: () => clock.unixMs(),
    startTimer: (delayMs, onDue) => clock.startTimer(delayMs, onDue),
    stop: () => beat.stop(),
  };
}

const BEAT_MS = 500;
// Above the beat and what a busy process is late with it, below every deadline.
const STEP_MAX_MS = 1_000;
