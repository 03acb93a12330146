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
  // What may be given away since the last `settle`: to workers that may have got room, of requests that wait again, and of keys that
  // fell below their limit.
  readonly #withRoom = new Set<WorkerRecord>();
  readonly #returned: RequestRecord[] = [];
  readonly #unblocked = new Set<string>();
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

  /** Back to their old places. */
  requeueAll(unanswered: readonly Unanswered[], cause: RequeueCause): void {
    for (const { request, attempt } of unanswered) {
      request.state = { kind: "queued", sinceMs: this.nowMs };
      this.queue.add(request);
      this.queue.fairness.onRequeued(request.key, request.tag);
      this.setDeadline(request);
      this.#returned.push(request);
      this.effects.push({ type: "requeued", request: request.id, attempt: attempt.id, cause });
    }
  }

  /**
   * Ends every change of a worker: it may have got room, or lost it. While something waits it is not seated before `settle` has
   * given away what it has room for: in a busy relay that is all of it, and seats under each of its models would be for nothing.
   */
  reseat(worker: WorkerRecord): void {
    if (this.queue.size > 0) {
      this.roster.unseat(worker);
      this.#withRoom.add(worker);
    } else this.#seat(worker);
  }

  dismiss(worker: WorkerRecord): void {
    this.roster.remove(worker, this.nowMs);
    this.agenda.remove(worker);
    this.#withRoom.delete(worker);
  }

  /** Finds a worker for a request that arrives. Nothing that waits could use that worker instead: it would have it already. */
  giveAway(request: RequestRecord): void {
    if (this.#isServable(request)) this.#dispatch(request, this.#pick(request)!);
  }

  /**
   * Ends every event, once all it changed is in the books: of the requests that can be served now, always the one whose turn it is
   * goes to the worker that is best for it.
   */
  settle(): void {
    this.#returned.sort((a, b) => (isEarlier(a, b) ? 1 : -1));
    for (let next = this.#nextInTurn(); next !== null; next = this.#nextInTurn()) this.#dispatch(next, this.#pick(next)!);
  }

  /** What cannot be served now is let go: giving away only makes room scarcer. */
  #nextInTurn(): RequestRecord | null {
    let next: RequestRecord | null = null;
    for (const worker of this.#withRoom) {
      const request = hasRoom(worker) ? this.queue.earliestFor(worker) : null;
      if (request === null) this.#seat(worker);
      else if (next === null || isEarlier(request, next)) next = request;
    }
    while (this.#returned.length > 0 && !this.#isServable(this.#returned.at(-1)!)) this.#returned.pop();
    const returned = this.#returned.at(-1);
    if (returned !== undefined && (next === null || isEarlier(returned, next))) next = returned;
    for (const key of this.#unblocked) {
      const request = this.queue.candidatesOf(key).find((candidate) => this.#isServable(candidate));
      if (request === undefined) this.#unblocked.delete(key);
      else if (next === null || isEarlier(request, next)) next = request;
    }
    return next;
  }

  #isServable(request: RequestRecord): boolean {
    return request.state.kind === "queued" && !this.queue.isBlocked(request.key) && this.#pick(request) !== null;
  }

  #pick(request: RequestRecord): WorkerRecord | null {
    return this.roster.pick(request, this.#withRoom);
  }

  /** Nothing that waits can use its room. */
  #seat(worker: WorkerRecord): void {
    this.#withRoom.delete(worker);
    this.roster.seat(worker);
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
    if (!this.#withRoom.has(worker)) this.roster.seat(worker);
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
    this.reseat(worker);
    if (worker.isDraining && worker.attempts.size === 0) this.effects.push({ type: "worker-drained", worker: worker.id });
  }

  setDeadline(request: RequestRecord): void {
    this.agenda.set(request, deadlinesOf(request, this.limits).nextAtMs);
  }
}
