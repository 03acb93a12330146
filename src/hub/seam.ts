// The seam between hub and scheduler, which promises no answer within the same tick: one process has its own scheduler behind it,
// several relays may share one over the network.
import type { Clock, Timer } from "../base/clock.ts";
import type { Effect, RequestId, SchedulerEvent, SchedulerLimits, WorkerId } from "../scheduler/events.ts";
import { Scheduler } from "../scheduler/scheduler.ts";
import type { WorkerStanding } from "../scheduler/state.ts";

export interface SchedulerSeam {
  /** Events take effect in the order they are posted. */
  post(event: SchedulerEvent): void;
  /** Sets the one receiver of effects. */
  onEffects(perform: (effects: readonly Effect[]) => void): void;
  /** Place in the queue of its model, 1 being next; null when it does not wait, or when that is not known here. */
  position(request: RequestId): number | null;
  /** How the scheduler sees a worker; null when that is not known here. */
  standing(worker: WorkerId): WorkerStanding | null;
  stop(): void;
}

/** A scheduler of our own: applies each event at once, or right after the one whose effects are being performed. */
export function createLocalScheduler(limits: SchedulerLimits, clock: Clock): SchedulerSeam {
  const scheduler = new Scheduler(limits, clock.nowMs());
  const pending: SchedulerEvent[] = [];
  let perform: (effects: readonly Effect[]) => void = () => {};
  let isApplying = false;
  let wake: Timer | null = null;

  function post(event: SchedulerEvent): void {
    pending.push(event);
    if (isApplying) return;
    isApplying = true;
    try {
      for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
        const effects = scheduler.apply(next, clock.nowMs());
        for (const effect of effects) if (effect.type === "wake") wakeAt(effect.atMs);
        perform(effects);
      }
    } finally {
      isApplying = false;
    }
  }

  function wakeAt(atMs: number): void {
    wake?.stop();
    wake = clock.startTimer(atMs - clock.nowMs(), () => {
      wake = null;
      post({ type: "tick" });
    });
  }

  return {
    post,
    onEffects(receiver) {
      perform = receiver;
    },
    position: (request) => scheduler.position(request),
    standing: (worker) => scheduler.standing(worker),
    stop: () => wake?.stop(),
  };
}
