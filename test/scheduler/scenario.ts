// A scripted talk with the scheduler, in short words, for tests that a newcomer reads to learn its rules.
import { unreachable } from "../../src/base/assert.ts";
import type { RefusalCode } from "../../src/base/errors.ts";
import {
  type AttemptId,
  DEFAULT_LIMITS,
  type Effect,
  type ResponseOutcome,
  type SchedulerEvent,
  type SchedulerLimits,
} from "../../src/scheduler/events.ts";
import { Scheduler } from "../../src/scheduler/scheduler.ts";

const SECOND_MS = 1_000;

interface Worker {
  readonly models?: readonly string[];
  readonly slots?: number;
  readonly load?: number;
  readonly instance?: string;
}

interface Request {
  readonly model?: string;
  readonly key?: string;
  readonly bytes?: number;
  readonly isStreaming?: boolean;
  readonly keyLimit?: number;
}

/**
 * Every method tells the scheduler one thing and answers with its effects: "r1 -> w1 #1" is a dispatch as attempt 1 (attempts are
 * counted in the order of their dispatch). Wakes are left out; see `wakeAtSecs`. Times are in seconds since the relay's start.
 */
export class Scenario {
  readonly scheduler: Scheduler;
  readonly #attempts: AttemptId[] = [];
  #nowMs = 0;
  #wakeAtMs = Infinity;

  constructor(limits: Partial<SchedulerLimits> = {}) {
    this.scheduler = new Scheduler({ ...DEFAULT_LIMITS, ...limits }, 0);
  }

  /** The time the scheduler last asked to be woken at; Infinity when it did not. */
  get wakeAtSecs(): number {
    return this.#wakeAtMs / SECOND_MS;
  }

  /** Time passes; nothing else happens. */
  pass(secs: number): readonly string[] {
    this.#nowMs += secs * SECOND_MS;
    return this.tell({ type: "tick" });
  }

  /** Time passes, but nobody tells the scheduler: its next event finds out. */
  passUnnoticed(secs: number): void {
    this.#nowMs += secs * SECOND_MS;
  }

  arrive(request: string, { model = "llama", key = "anna", bytes = 1, isStreaming = true, keyLimit = 0 }: Request = {}): readonly string[] {
    return this.tell({ type: "request-arrived", request, model, key, bytes, isStreaming, keyLimit });
  }

  hangUp(request: string): readonly string[] {
    return this.tell({ type: "client-left", request });
  }

  fail(request: string, code: RefusalCode): readonly string[] {
    return this.tell({ type: "request-failed", request, code });
  }

  join(worker: string, { models = ["llama"], slots = 1, load = 0, instance }: Worker = {}): readonly string[] {
    return this.tell({ type: "worker-joined", worker, instance: instance ?? null, models, slots, load });
  }

  leave(worker: string, how: "clean" | "lost" = "lost"): readonly string[] {
    return this.tell({ type: "worker-left", worker, how });
  }

  drain(worker: string): readonly string[] {
    return this.tell({ type: "worker-draining", worker });
  }

  resume(worker: string): readonly string[] {
    return this.tell({ type: "worker-resumed", worker });
  }

  offer(worker: string, models: readonly string[]): readonly string[] {
    return this.tell({ type: "worker-models-changed", worker, models });
  }

  report(worker: string, load: number): readonly string[] {
    return this.tell({ type: "worker-load-reported", worker, load });
  }

  reject(attempt: number, reason: "draining" | "full" | "unsent"): readonly string[] {
    return this.tell({ type: "attempt-rejected", attempt: this.#idOf(attempt), reason });
  }

  start(attempt: number): readonly string[] {
    return this.tell({ type: "response-started", attempt: this.#idOf(attempt) });
  }

  end(attempt: number, outcome: ResponseOutcome = "ok"): readonly string[] {
    return this.tell({ type: "response-ended", attempt: this.#idOf(attempt), outcome });
  }

  acknowledge(attempt: number): readonly string[] {
    return this.tell({ type: "cancel-acknowledged", attempt: this.#idOf(attempt) });
  }

  drainRelay(): readonly string[] {
    return this.tell({ type: "relay-draining" });
  }

  tell(event: SchedulerEvent): readonly string[] {
    const effects = this.scheduler.apply(event, this.#nowMs);
    return effects.flatMap((effect) => this.#inWords(effect));
  }

  #inWords(effect: Effect): readonly string[] {
    switch (effect.type) {
      case "dispatch":
        return [`${effect.request} -> ${effect.worker} #${this.#attempts.push(effect.attempt)}`];
      case "cancel":
        return [`cancel #${this.#numberOf(effect.attempt)} on ${effect.worker}: ${effect.cause}`];
      case "refuse":
        return [`refuse ${effect.request}: ${effect.code}${effect.nearest.map((name) => ` ${name}?`).join("")}`];
      case "end":
        return [`end ${effect.request}`];
      case "requeued":
        return [`requeue ${effect.request}: ${effect.cause}`];
      case "close-worker":
        return [`close ${effect.worker}: ${effect.cause}`];
      case "worker-drained":
        return [`drained ${effect.worker}`];
      case "wake":
        this.#wakeAtMs = effect.atMs;
        return [];
      default:
        return unreachable(effect);
    }
  }

  #idOf(attempt: number): AttemptId {
    return this.#attempts[attempt - 1] ?? 999_999_000 + attempt;
  }

  #numberOf(id: AttemptId): number {
    return this.#attempts.indexOf(id) + 1;
  }
}
