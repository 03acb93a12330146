// What the oracle knows of the world, pieced together from events fed and effects seen; small enough to look at all of it every step.
import type {
  AttemptId,
  CancelCause,
  Effect,
  RequestId,
  RequeueCause,
  SchedulerEvent,
  SchedulerLimits,
  WorkerId,
} from "../../src/scheduler/events.ts";
import type { RefusalCode } from "../../src/base/errors.ts";
import { ANY_MODEL } from "../../src/protocol/registration.ts";
import type { Sometimes } from "./sometimes.ts";

/** A rule of docs/behaviour.md, or `contract` for what src/scheduler/events.ts itself promises. */
export type RuleId = `${"S" | "Q" | "R" | "C" | "W"}${number}` | "contract";

/** The scheduler broke a rule. */
export class Violation extends Error {
  readonly rule: RuleId;

  constructor(rule: RuleId, message: string) {
    super(`[${rule}] ${message}`);
    this.name = "Violation";
    this.rule = rule;
  }
}

export interface WorkerRecord {
  readonly id: WorkerId;
  readonly instance: string | null;
  readonly slots: number;
  models: readonly string[];
  inFlight: number;
  external: number;
  isDraining: boolean;
  isDrainReported: boolean;
  /** It said "full", or did not take a request, and has not reported its load since. */
  isFull: boolean;
  coolUntilMs: number;
  /** Length of its latest cool-down; 0 when it has answered since. */
  coolMs: number;
  /** Number of the latest dispatch to it; 0 = never. */
  lastGiven: number;
  /** When it took the place of an older connection; -1 if it did not. */
  readonly supersededMs: number;
  hasResumed: boolean;
}

export interface AttemptRecord {
  readonly id: AttemptId;
  readonly worker: WorkerRecord;
  readonly key: string;
  /** Null once it is cancelled: a zombie that only holds its slot. */
  request: RequestRecord | null;
  /** When a zombie must be accounted for. */
  accountByMs: number;
  owedCancel: CancelCause | null;
}

/** What the scheduler still has to say about a request in this step. */
export type Owed = "nothing" | "end" | "refuse" | "requeue";

export interface RequestRecord {
  readonly id: RequestId;
  readonly model: string;
  readonly key: string;
  readonly bytes: number;
  readonly isStreaming: boolean;
  /** 0: none. */
  readonly keyLimit: number;
  readonly arrivedMs: number;
  /** Arrival order. */
  readonly order: number;
  /** Start-time-fair tag. */
  readonly tag: number;
  /** Its key had nothing ahead of it: others may overtake it at most once each. */
  readonly isFresh: boolean;
  attempt: AttemptRecord | null;
  hasStarted: boolean;
  waitedMs: number;
  waitSinceMs: number;
  tries: number;
  counted: number;
  drops: number;
  readonly avoid: WorkerRecord[];
  readonly overtakenBy: string[];
  wasWithdrawn: boolean;
  inGrace: boolean;
  owed: Owed;
  owedRule: RuleId;
  codes: readonly RefusalCode[];
  nearest: readonly string[];
  requeueCause: RequeueCause | null;
  /** A cool-down ended in the very step of its time-out: being served is as right as being refused. */
  mayDispatch: boolean;
  /** Its worker was lost in the very step of its time-out. */
  mayRequeue: boolean;
}

export class World {
  readonly limits: SchedulerLimits;
  readonly sometimes: Sometimes;
  readonly startedMs: number;
  readonly requests: RequestRecord[] = [];
  readonly attempts: AttemptRecord[] = [];
  readonly workers: WorkerRecord[] = [];
  /** Workers removed in this step whose close-worker is still owed. */
  readonly closing: { readonly worker: WorkerId; readonly cause: "superseded" | "cancel-unanswered" }[] = [];
  /** Attempts that were accounted for in the very step of their cancel: it may be said or not. */
  readonly departed: AttemptId[] = [];
  /** Attempt ids seen, to catch one used twice. */
  readonly usedAttempts = new Set<AttemptId>();
  /** When each model was last on offer by name, and when any model was, by "*". */
  readonly lastOfferedMs = new Map<string, number>();
  lastAnyOfferedMs = -Infinity;
  /** One above the highest tag each key was served under. */
  readonly servedTags = new Map<string, number>();
  /** The highest tag served so far. */
  virtualTime = 0;
  arrivals = 0;
  dispatches = 0;
  isDraining = false;
  /** All workers always offer everything: only then does the fairness bound hold to the letter. */
  readonly isUniform: boolean;
  nowMs: number;
  previousMs: number;
  /** The latest wake asked for that no tick has answered. */
  wakeAtMs = Infinity;

  constructor(limits: SchedulerLimits, nowMs: number, sometimes: Sometimes, isUniform: boolean) {
    this.limits = limits;
    this.sometimes = sometimes;
    this.startedMs = nowMs;
    this.nowMs = nowMs;
    this.previousMs = nowMs;
    this.isUniform = isUniform;
  }

  request(id: RequestId): RequestRecord | undefined {
    for (const request of this.requests) if (request.id === id) return request;
    return undefined;
  }

  attempt(id: AttemptId): AttemptRecord | undefined {
    for (const attempt of this.attempts) if (attempt.id === id) return attempt;
    return undefined;
  }

  worker(id: WorkerId): WorkerRecord | undefined {
    for (const worker of this.workers) if (worker.id === id) return worker;
    return undefined;
  }

  forgetRequest(request: RequestRecord): void {
    removeFrom(this.requests, request);
  }

  forgetAttempt(attempt: AttemptRecord): void {
    removeFrom(this.attempts, attempt);
    attempt.worker.inFlight--;
    if (attempt.owedCancel !== null) this.departed.push(attempt.id);
  }

  isCooling(worker: WorkerRecord): boolean {
    return worker.coolUntilMs > this.nowMs;
  }

  /** Its cool-down ended in this very step. */
  isJustCooled(worker: WorkerRecord): boolean {
    return worker.coolUntilMs > this.previousMs && worker.coolUntilMs <= this.nowMs;
  }

  /** [S4] with [R3] and [R6], load aside. */
  mayServe(worker: WorkerRecord, request: RequestRecord): boolean {
    return (
      !worker.isDraining && !worker.isFull && !this.isCooling(worker) && offers(worker, request.model) && !request.avoid.includes(worker)
    );
  }

  /** [S3] One above the highest tag the key has waiting or was served: what it gave up waiting for costs it nothing. */
  nextTag(key: string): number {
    let tag = this.servedTags.get(key) ?? 0;
    for (const request of this.requests) if (request.key === key && isWaiting(request) && request.tag >= tag) tag = request.tag + 1;
    return tag;
  }

  /** [S9] Its key holds all the slots it may, zombies' included. */
  isHeldBack({ key, keyLimit }: RequestRecord): boolean {
    if (keyLimit === 0) return false;
    let held = 0;
    for (const attempt of this.attempts) if (attempt.key === key) held++;
    return held >= keyLimit;
  }

  queueLength(): number {
    let length = 0;
    for (const request of this.requests) if (isWaiting(request)) length++;
    return length;
  }

  queueBytes(): number {
    let bytes = 0;
    for (const request of this.requests) if (isWaiting(request)) bytes += request.bytes;
    return bytes;
  }
}

export function removeFrom<Item>(items: Item[], item: Item): void {
  const at = items.indexOf(item);
  if (at < 0) return;
  const last = items.pop();
  if (at < items.length && last !== undefined) items[at] = last;
}

export function isWaiting(request: RequestRecord): boolean {
  return request.attempt === null && request.owed === "nothing";
}

export function offers(worker: WorkerRecord, model: string): boolean {
  return worker.models.includes(model) || worker.models.includes(ANY_MODEL);
}

export function loadOf(worker: WorkerRecord): number {
  return worker.inFlight + worker.external;
}

/** Whether `a` is served before `b` by a worker that may serve both. */
export function isBefore(a: RequestRecord, b: RequestRecord): boolean {
  return a.tag < b.tag || (a.tag === b.tag && a.order < b.order);
}

/** What of the scheduler the simulation drives; mutants implement it too. */
export interface SchedulerLike {
  apply(event: SchedulerEvent, nowMs: number): readonly Effect[];
  position(request: RequestId): number | null;
  counts(): {
    readonly queued: number;
    readonly queuedBytes: number;
    readonly requests: number;
    readonly inFlight: number;
    readonly workers: number;
  };
}
