// Deliberate bugs in the scheduler, each of a kind a person could write: a simulation that lets one pass is worth nothing.
import type { Effect, RefuseEffect, SchedulerEvent, SchedulerLimits } from "../../src/scheduler/events.ts";
import { Fairness } from "../../src/scheduler/fairness.ts";
import { Ledger } from "../../src/scheduler/ledger.ts";
import { Queue } from "../../src/scheduler/queue.ts";
import { Roster } from "../../src/scheduler/roster.ts";
import { Scheduler } from "../../src/scheduler/scheduler.ts";
import { type Attempt, hasRoom, type RequestRecord, type WorkerRecord } from "../../src/scheduler/state.ts";
import type { CreateScheduler } from "./simulation.ts";
import type { RuleId, SchedulerLike } from "./world.ts";

export interface Mutant {
  /** The rule it breaks: some seed must catch it for exactly that. */
  readonly rule: RuleId;
  readonly name: string;
  readonly create: CreateScheduler;
  /** Puts a bug into a class; the answer takes it out again. */
  readonly install: () => () => void;
}

export function createHealthy(limits: SchedulerLimits, nowMs: number): SchedulerLike {
  return new Scheduler(limits, nowMs);
}

// ---- three ways to put a bug in ----

interface Boundary {
  readonly limits?: (limits: SchedulerLimits) => Partial<SchedulerLimits>;
  /** Null: the scheduler never hears of it. */
  readonly event?: (event: SchedulerEvent) => SchedulerEvent | null;
  readonly effect?: (effect: Effect) => readonly Effect[];
  readonly position?: (position: number) => number;
}

/** A bug at the scheduler's border: in what it is told, or in what it answers. */
function atBorder(
  rule: RuleId,
  name: string,
  { limits: toLimits, event: toEvent, effect: toEffects, position: toPosition }: Boundary,
): Mutant {
  const create: CreateScheduler = (limits, nowMs) => {
    const inner = new Scheduler({ ...limits, ...toLimits?.(limits) }, nowMs);
    return {
      apply(event, nowMs) {
        const heard = toEvent === undefined ? event : toEvent(event);
        const effects = inner.apply(heard ?? { type: "tick" }, nowMs);
        return toEffects === undefined ? effects : effects.flatMap(toEffects);
      },
      position(request) {
        const position = inner.position(request);
        return position === null || toPosition === undefined ? position : toPosition(position);
      },
      counts: () => inner.counts(),
    };
  };
  return { rule, name, create, install: () => () => {} };
}

/** A bug in one method of one of the scheduler's classes. */
function inside<Owner extends object, Method extends keyof Owner>(
  rule: RuleId,
  name: string,
  owner: Owner,
  method: Method,
  toBuggy: (original: Owner[Method]) => Owner[Method],
): Mutant {
  const install = () => {
    const original = owner[method];
    owner[method] = toBuggy(original);
    return () => {
      owner[method] = original;
    };
  };
  return { rule, name, create: createHealthy, install };
}

const deaf = (rule: RuleId, name: string, type: SchedulerEvent["type"]): Mutant =>
  atBorder(rule, name, { event: (event) => (event.type === type ? null : event) });

const mute = (rule: RuleId, name: string, type: Effect["type"]): Mutant =>
  atBorder(rule, name, { effect: (effect) => (effect.type === type ? [] : [effect]) });

const twice = (rule: RuleId, name: string, type: Effect["type"]): Mutant =>
  atBorder(rule, name, { effect: (effect) => (effect.type === type ? [effect, effect] : [effect]) });

const miscoded = (rule: RuleId, name: string, right: RefuseEffect["code"], wrong: RefuseEffect["code"]): Mutant =>
  atBorder(rule, name, { effect: (effect) => [effect.type === "refuse" && effect.code === right ? { ...effect, code: wrong } : effect] });

const misheard = (rule: RuleId, name: string, right: string, wrong: "connection-refused" | "dropped" | "failed"): Mutant =>
  atBorder(rule, name, {
    event: (event) => (event.type === "response-ended" && event.outcome === right ? { ...event, outcome: wrong } : event),
  });

/** What is read-only in a record is so for honest code. */
type Open<Value> = { -readonly [Field in keyof Value]: Value[Field] };

const onRequeue = (rule: RuleId, name: string, change: (request: Open<RequestRecord>, ledger: Ledger) => void): Mutant =>
  inside(
    rule,
    name,
    Ledger.prototype,
    "requeueAll",
    (original) =>
      function requeueAll(this: Ledger, unanswered, cause) {
        for (const { request } of unanswered) change(request, this);
        original.call(this, unanswered, cause);
      },
  );

// ---- the bugs ----

let laterPlace = 1_000_000;

export const MUTANTS: readonly Mutant[] = [
  // Slots and cancels.
  deaf("S1", "swallows the acknowledgement of a cancel", "cancel-acknowledged"),
  inside(
    "S1",
    "leaks the slot of a cancelled attempt",
    Ledger.prototype,
    "leaveTable",
    (original) =>
      function leaveTable(this: Ledger, attempt: Attempt) {
        original.call(this, attempt);
        if (attempt.request === null && this.roster.workers.has(attempt.worker.id)) attempt.worker.attempts.add(attempt);
      },
  ),
  inside(
    "S6",
    "frees the slot as soon as it cancels, and again later",
    Ledger.prototype,
    "cancel",
    (original) =>
      function cancel(this: Ledger, attempt: Attempt, cause) {
        original.call(this, attempt, cause);
        attempt.worker.attempts.delete(attempt);
      },
  ),
  atBorder("S6", "believes in one slot too many", {
    event: (event) => (event.type === "worker-joined" ? { ...event, slots: event.slots + 1 } : event),
  }),
  deaf("S5", "ignores external load", "worker-load-reported"),
  atBorder("S5", "ignores the load a worker joins with", {
    event: (event) => (event.type === "worker-joined" ? { ...event, load: 0 } : event),
  }),
  mute("C2", "forgets to tell the worker to cancel", "cancel"),
  atBorder("C3", "waits for the acknowledgement for ever", { limits: () => ({ cancelAckMs: 1_000_000_000 }) }),
  mute("C3", "does not close the connection of a worker that left a cancel unanswered", "close-worker"),

  // Who gets what.
  deaf("S7", "dispatches to a draining worker", "worker-draining"),
  deaf("S7", "dispatches models that were withdrawn", "worker-models-changed"),
  deaf("W1", "dispatches to a worker that left", "worker-left"),
  atBorder("W3", "gives work again to a worker that refused it as draining", {
    event: (event) => (event.type === "attempt-rejected" ? { ...event, reason: "full" } : event),
  }),
  inside("S2", "takes the newest first", Fairness.prototype, "tagFor", () => {
    let tag = 0;
    return () => --tag;
  }),
  inside("S3", "ignores whose request it is", Fairness.prototype, "tagFor", () => () => 0),
  inside("S3", "lets what left the queue count against its key", Fairness.prototype, "onLeft", () => () => {}),
  inside("S3", "serves key after key without regard to time", Fairness.prototype, "onServed", () => () => {}),
  inside(
    "S4",
    "takes the first worker with room",
    Roster.prototype,
    "pick",
    () =>
      function pick(this: Roster, request: RequestRecord): WorkerRecord | null {
        for (const worker of this.offering(request.model)) if (hasRoom(worker) && request.avoid?.has(worker.id) !== true) return worker;
        return null;
      },
  ),
  inside(
    "S1",
    "leaves a requeued request waiting beside a free slot",
    Ledger.prototype,
    "requeueAll",
    () =>
      function requeueAll(this: Ledger, unanswered, cause) {
        for (const { request, attempt } of unanswered) {
          request.state = { kind: "queued", sinceMs: this.nowMs };
          this.queue.add(request);
          this.queue.fairness.onRequeued(request.key, request.tag);
          this.setDeadline(request);
          this.effects.push({ type: "requeued", request: request.id, attempt: attempt.id, cause });
        }
      },
  ),
  inside(
    "S1",
    "fills only one slot of a worker that joins",
    Queue.prototype,
    "earliestFor",
    (original) =>
      function earliestFor(this: Queue, worker: WorkerRecord): RequestRecord | null {
        return worker.attempts.size > 0 && worker.slots > 2 ? null : original.call(this, worker);
      },
  ),
  atBorder("S3", "counts positions from zero", { position: (position) => position - 1 }),

  atBorder("S9", "does not limit keys", {
    event: (event) => (event.type === "request-arrived" ? { ...event, keyLimit: 0 } : event),
  }),
  inside("S1", "does not look again when a key gets below its limit", Queue.prototype, "candidatesOf", () => () => []),

  // Trying again.
  onRequeue("R1", "forgets the place of a requeued request", (request) => {
    request.order = laterPlace++;
  }),
  onRequeue("R6", "gives a request back to the worker that refused it", (request) => {
    request.avoid = null;
  }),
  onRequeue("C4", "starts the request time-out anew with each try", (request, ledger) => {
    request.arrivedAtMs = ledger.nowMs;
  }),
  onRequeue("Q3", "starts the queue time-out anew with each wait", (request) => {
    request.waitedMs = 0;
  }),
  onRequeue("Q3", "counts time on a worker as waiting", (request, ledger) => {
    request.waitedMs = ledger.nowMs - request.arrivedAtMs;
  }),
  deaf("R7", "tries again after the first byte", "response-started"),
  atBorder("R2", "tries once too often", { limits: ({ maxRequeues }) => ({ maxRequeues: maxRequeues + 1 }) }),
  misheard("R5", "takes a dead backend for one that does not listen", "dropped", "connection-refused"),
  misheard("contract", "tries again what failed for good", "failed", "dropped"),
  misheard("R4", "knows no cool-down", "connection-refused", "dropped"),
  atBorder("S7", "never doubles the cool-down", { limits: ({ coolDownMinMs }) => ({ coolDownMaxMs: coolDownMinMs }) }),
  inside("R4", "waits for a worker it must avoid", Roster.prototype, "isOfferedElsewhere", () => () => true),
  mute("R2", "requeues without a word", "requeued"),

  // Bounds and deadlines.
  atBorder("Q2", "has no bound by count", { limits: () => ({ maxQueueLength: 0 }) }),
  atBorder("Q2", "has no bound by bytes", { limits: () => ({ maxQueueBytes: Infinity }) }),
  atBorder("Q2", "lets one too many wait", {
    limits: ({ maxQueueLength }) => ({ maxQueueLength: maxQueueLength === 0 ? 0 : maxQueueLength + 1 }),
  }),
  inside("Q2", "lets a flood keep everybody else out", Queue.prototype, "oneTooMany", () => (arrived) => arrived),
  inside(
    "Q2",
    "pushes out of a full queue whoever has most, though the newcomer has as many",
    Queue.prototype,
    "oneTooMany",
    (original) =>
      function oneTooMany(this: Queue, arrived: RequestRecord): RequestRecord {
        const chosen = original.call(this, arrived);
        return chosen === arrived ? (this.candidatesOf(arrived.key)[0] ?? arrived) : chosen;
      },
  ),
  atBorder("Q5", "knows no grace", { limits: () => ({ modelGraceMs: 0 }) }),
  inside("Q5", "calls any model known", Roster.prototype, "isKnown", () => () => true),
  atBorder("C4", "fires a millisecond early", {
    limits: ({ requestTimeoutMs }) => ({ requestTimeoutMs: Math.max(0, requestTimeoutMs - 1) }),
  }),
  atBorder("contract", "fires a millisecond late", {
    limits: ({ requestTimeoutMs }) => ({ requestTimeoutMs: requestTimeoutMs === 0 ? 0 : requestTimeoutMs + 1 }),
  }),
  mute("contract", "does not ask to be woken", "wake"),
  miscoded("Q4", "blames the queue when no worker is there", "no_workers", "queue_timeout"),
  miscoded("R2", "blames the backend for lost workers", "requeue_exhausted", "backend_error"),
  miscoded("C4", "takes one time-out for another", "total_timeout", "request_timeout"),
  inside("Q5", "offers no nearest names", Roster.prototype, "nearestModels", () => () => []),

  // Beginning and end.
  atBorder("W2", "does not know a worker by its instance", {
    event: (event) => (event.type === "worker-joined" ? { ...event, instance: null } : event),
  }),
  deaf("W4", "admits requests while the relay drains", "relay-draining"),
  deaf("C1", "keeps the requests of clients that left", "client-left"),
  mute("W3", "never says that a worker is drained", "worker-drained"),
  twice("W3", "says twice that a worker is drained", "worker-drained"),
  twice("contract", "ends a request twice", "end"),
  twice("contract", "refuses a request twice", "refuse"),
  twice("S8", "dispatches a request twice", "dispatch"),
];
