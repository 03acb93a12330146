// What becomes due and when: deadlines of requests, unanswered cancels, ends of cool-downs; and when to be woken for the next.
import type { SchedulerLimits } from "./events.ts";
import { Heap } from "./heap.ts";
import type { Attempt, RequestRecord, WorkerRecord } from "./state.ts";

export type Due = RequestRecord | Attempt | WorkerRecord;

export class Agenda {
  readonly #due = new Heap<Due>({ rankOf: ({ dueAtMs }) => dueAtMs, isBefore: () => false });
  /** The wake-up that has been asked for; Infinity: none. */
  #wakeAtMs = Infinity;

  /** Infinity: never. */
  set(subject: Due, atMs: number): void {
    subject.dueAtMs = atMs;
    if (atMs === Infinity) this.#due.remove(subject);
    else this.#due.update(subject);
  }

  remove(subject: Due): void {
    this.#due.remove(subject);
  }

  /** Takes out what is due by `nowMs`, earliest first. */
  *takeDue(nowMs: number): Iterable<Due> {
    for (let due = this.#due.peek(); due !== undefined && due.dueAtMs <= nowMs; due = this.#due.peek()) {
      this.#due.remove(due);
      yield due;
    }
  }

  /** The wake-up that was asked for has come, perhaps a little early: it must be asked for anew. */
  onWoken(): void {
    this.#wakeAtMs = Infinity;
  }

  /** When to be woken, if that is earlier than what was asked for before; else null. */
  nextWake(nowMs: number): number | null {
    if (this.#wakeAtMs <= nowMs) this.#wakeAtMs = Infinity;
    const nextMs = this.#due.peek()?.dueAtMs ?? Infinity;
    if (nextMs >= this.#wakeAtMs) return null;
    this.#wakeAtMs = nextMs;
    return nextMs;
  }
}

export interface Deadlines {
  readonly queueAtMs: number;
  readonly requestAtMs: number;
  readonly totalAtMs: number;
  /** The earliest of them; Infinity when none runs. */
  readonly nextAtMs: number;
}

/** The deadlines that run for a request in its present state; Infinity for one that does not. */
export function deadlinesOf(request: RequestRecord, limits: SchedulerLimits): Deadlines {
  const { queueTimeoutMs, requestTimeoutMs, totalTimeoutMs } = limits;
  const { state, arrivedAtMs } = request;
  // A stream has met its request deadline with its first byte; any other answer must be whole by then.
  const isPastFirstByte = state.kind === "streaming" && request.isStreaming;
  const queueAtMs = state.kind === "queued" && queueTimeoutMs > 0 ? state.sinceMs + queueTimeoutMs - request.waitedMs : Infinity;
  const requestAtMs = requestTimeoutMs > 0 && !isPastFirstByte ? arrivedAtMs + requestTimeoutMs : Infinity;
  const totalAtMs = totalTimeoutMs > 0 ? arrivedAtMs + totalTimeoutMs : Infinity;
  return { queueAtMs, requestAtMs, totalAtMs, nextAtMs: Math.min(queueAtMs, requestAtMs, totalAtMs) };
}
