// The scheduler's books, and the moves everything it decides is made of: each keeps queue, roster, slots and deadlines in step.
import type { RefusalCode } from "../base/errors.ts";
import { Agenda, deadlinesOf } from "./agenda.ts";
import type { AttemptId, CancelCause, Effect, RequestArrived, RequestId, RequeueCause, SchedulerLimits } from "./events.ts";
import { KeySlots } from "./key-slots.ts";
import { isEarlier } from "./lane.ts";
import { Queue } from "./queue.ts";
import { Roster } from "./roster.ts";
import { type Attempt, hasRoom, type RequestRecord, type WorkerRecord } from "./state.ts";

/** A request whose attempt ended before its first byte. */
export interface Unanswered {
  readonly request: RequestRecord;
  readonly attempt: Attempt;
}

export class Ledger {
  readonly limits: SchedulerLimits;
  readonly queue = new Queue();
  readonly roster = new Roster();
  readonly agenda = new Agenda();
  readonly requests = new Map<RequestId, RequestRecord>();
  readonly attempts = new Map<AttemptId, Attempt>();
  readonly #keySlots = new KeySlots();
  /** Keys that fell below their limit during this event. */
  #unblocked = new Set<string>();
  effects: Effect[] = [];
  nowMs: number;
  #arrivals = 0;
  #lastAttempt: AttemptId = 0;

  constructor(limits: SchedulerLimits, nowMs: number) {
    this.limits = limits;
    this.nowMs = nowMs;
  }

  admit(event: RequestArrived): RequestRecord {
    const request: RequestRecord = {
      kind: "request",
      id: event.request,
      model: event.model,
      key: event.key,
      bytes: event.bytes,
      isStreaming: event.isStreaming,
      keyLimit: event.keyLimit ?? 0,
      arrivedAtMs: this.nowMs,
      order: ++this.#arrivals,
      tag: this.queue.fairness.tagFor(event.key),
      state: { kind: "queued", sinceMs: this.nowMs },
      waitedMs: 0,
      tries: 0,
      requeues: 0,
      drops: 0,
      avoid: null,
      heapIndex: -1,
      dueAtMs: Infinity,
    };
    this.requests.set(request.id, request);
    this.queue.add(request);
    this.setDeadline(request);
    return request;
  }

  /** Ends a request whatever its state; a live attempt is cancelled. `code` null: nobody is left to be told. */
  endEarly(request: RequestRecord, cause: CancelCause, code: RefusalCode | null): void {
    const { state } = request;
    if (state.kind === "queued") this.#unqueue(request, "left");
    else if (state.kind !== "over") this.cancel(state.attempt, cause);
    if (code === null) this.finish(request);
    else this.fail(request, code);
  }

  finish(request: RequestRecord): void {
    this.#forget(request);
    this.effects.push({ type: "end", request: request.id });
  }

  fail(request: RequestRecord, code: RefusalCode): void {
    this.#forget(request);
    // Nobody ever offered it: perhaps it was misspelt.
    this.refuse(request.id, code, code === "no_workers" ? this.roster.nearestModels(request.model) : []);
  }

  #forget(request: RequestRecord): void {
    request.state = { kind: "over" };
    this.requests.delete(request.id);
    this.agenda.remove(request);
  }

  refuse(request: RequestId, code: RefusalCode, nearest: readonly string[] = []): void {
    this.effects.push({ type: "refuse", request, code, nearest });
  }

  #unqueue(request: RequestRecord, how: "served" | "left"): void {
    if (request.state.kind !== "queued") return;
    request.waitedMs += this.nowMs - request.state.sinceMs;
    this.queue.remove(request);
    if (how === "served") this.queue.fairness.onServed(request.key, request.tag);
    else this.queue.fairness.onLeft(request.key, request.tag);
  }

  /** Back to their old places, then, in the order of their turns, to other workers with room. */
  requeueAll(unanswered: readonly Unanswered[], cause: RequeueCause): void {
    for (const { request, attempt } of unanswered) {
      request.state = { kind: "queued", sinceMs: this.nowMs };
      this.queue.add(request);
      this.queue.fairness.onRequeued(request.key, request.tag);
      this.setDeadline(request);
      this.effects.push({ type: "requeued", request: request.id, attempt: attempt.id, cause });
    }
    const inTurn = unanswered.map((entry) => entry.request).sort((a, b) => (isEarlier(a, b) ? -1 : 1));
    for (const request of inTurn) this.giveAway(request);
  }

  /** Finds a worker for a request that waits. Nothing that waits could use that worker instead: it would have it already. */
  giveAway(request: RequestRecord): boolean {
    if (this.queue.isBlocked(request.key)) return false;
    const worker = this.roster.pick(request);
    if (worker === null) return false;
    this.#dispatch(request, worker);
    this.roster.reseat(worker);
    return true;
  }

  /** Ends every event: keys that got below their limit take what is free. */
  settle(): void {
    for (const key of this.#unblocked) {
      // A lane shows its next request only once its first is gone, so look again as long as one was given away.
      while (this.queue.candidatesOf(key).filter((request) => this.giveAway(request)).length > 0);
    }
    this.#unblocked.clear();
  }

  /** Fills a worker that may have got room with the earliest requests it may serve. Ends every change of a worker. */
  giveWork(worker: WorkerRecord): void {
    while (hasRoom(worker)) {
      const request = this.queue.earliestFor(worker);
      if (request === null) break;
      this.#dispatch(request, worker);
    }
    this.roster.reseat(worker);
  }

  #dispatch(request: RequestRecord, worker: WorkerRecord): void {
    this.#unqueue(request, "served");
    const attempt: Attempt = {
      kind: "attempt",
      id: ++this.#lastAttempt,
      worker,
      key: request.key,
      request,
      heapIndex: -1,
      dueAtMs: Infinity,
    };
    this.attempts.set(attempt.id, attempt);
    worker.attempts.add(attempt);
    worker.lastGiven = attempt.id;
    if (this.#keySlots.take(request.key, request.keyLimit)) this.queue.block(request.key);
    request.state = { kind: "dispatched", attempt };
    request.tries++;
    this.setDeadline(request);
    const { tries, waitedMs } = request;
    this.effects.push({ type: "dispatch", request: request.id, worker: worker.id, attempt: attempt.id, tries, waitedMs });
  }

  /** Nobody wants the answer any more, but the slot is taken until the worker accounts for it. */
  cancel(attempt: Attempt, cause: CancelCause): void {
    attempt.request = null;
    this.agenda.set(attempt, this.nowMs + this.limits.cancelAckMs);
    this.effects.push({ type: "cancel", attempt: attempt.id, worker: attempt.worker.id, cause });
  }

  /** The one place where a slot is given back. */
  leaveTable(attempt: Attempt): void {
    this.attempts.delete(attempt.id);
    attempt.worker.attempts.delete(attempt);
    this.agenda.remove(attempt);
    if (!this.#keySlots.giveBack(attempt.key)) return;
    this.queue.unblock(attempt.key);
    this.#unblocked.add(attempt.key);
  }

  release(attempt: Attempt): void {
    this.leaveTable(attempt);
    const { worker } = attempt;
    this.giveWork(worker);
    if (worker.isDraining && worker.attempts.size === 0) this.effects.push({ type: "worker-drained", worker: worker.id });
  }

  setDeadline(request: RequestRecord): void {
    this.agenda.set(request, deadlinesOf(request, this.limits).nextAtMs);
  }
}
