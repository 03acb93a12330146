// The heart: a pure class that is told what happened and answers what is to be done. No clock, no I/O, no randomness.
import { unreachable } from "../base/assert.ts";
import type { RefusalCode } from "../base/errors.ts";
import { deadlinesOf } from "./agenda.ts";
import type { AttemptId, Effect, RequestArrived, RequestId, ResponseOutcome, SchedulerEvent, SchedulerLimits } from "./events.ts";
import type { WorkerId, WorkerJoined } from "./events.ts";
import { Ledger, type Unanswered } from "./ledger.ts";
import type { Attempt, RequestRecord, SchedulerCounts, WorkerRecord, WorkerStanding } from "./state.ts";

export class Scheduler {
  readonly #ledger: Ledger;
  readonly #startedAtMs: number;
  #isDraining = false;
  #joins = 0;

  /** `nowMs` is the relay's start: the model grace counts from it. */
  constructor(limits: SchedulerLimits, nowMs: number) {
    this.#ledger = new Ledger(limits, nowMs);
    this.#startedAtMs = nowMs;
  }

  /** Does what is due by `nowMs` (which never goes back), then takes the event in. Effects are to be performed in their order. */
  apply(event: SchedulerEvent, nowMs: number): readonly Effect[] {
    this.#ledger.effects = [];
    this.#ledger.nowMs = Math.max(this.#ledger.nowMs, nowMs);
    this.#doWhatIsDue();
    this.#ledger.settle();
    this.#take(event);
    this.#ledger.settle();
    const wakeAtMs = this.#ledger.agenda.nextWake(this.#ledger.nowMs);
    if (wakeAtMs !== null) this.#ledger.effects.push({ type: "wake", atMs: wakeAtMs });
    return this.#ledger.effects;
  }

  #take(event: SchedulerEvent): void {
    switch (event.type) {
      case "request-arrived":
        return this.#onArrived(event);
      case "client-left":
        return this.#withRequest(event.request, (request) => this.#ledger.endEarly(request, "client-left", null));
      case "request-failed":
        return this.#withRequest(event.request, (request) => this.#ledger.endEarly(request, "failed", event.code));
      case "worker-joined":
        return this.#onJoined(event);
      case "worker-left":
        return this.#withWorker(event.worker, (worker) => this.#removeWorkers([worker]));
      case "worker-draining":
        return this.#withWorker(event.worker, (worker) => this.#drain(worker));
      case "worker-resumed":
        return this.#withWorker(event.worker, (worker) => {
          worker.isDraining = false;
          this.#ledger.reseat(worker);
        });
      case "worker-models-changed":
        return this.#withWorker(event.worker, (worker) => {
          this.#ledger.roster.changeModels(worker, new Set(event.models), this.#ledger.nowMs);
          this.#ledger.reseat(worker);
        });
      case "worker-load-reported":
        return this.#withWorker(event.worker, (worker) => {
          worker.external = Math.max(0, event.load - worker.attempts.size);
          worker.isFull = false;
          this.#ledger.reseat(worker);
        });
      case "attempt-rejected":
        return this.#withAttempt(event.attempt, (attempt) => this.#onRejected(attempt, event.reason));
      case "response-started":
        return this.#withAttempt(event.attempt, (attempt) => this.#onStarted(attempt));
      case "response-ended":
        return this.#withAttempt(event.attempt, (attempt) => this.#onEnded(attempt, event.outcome));
      case "cancel-acknowledged":
        // Only a cancelled attempt can be acknowledged; for a live one the frame means nothing.
        return this.#withAttempt(event.attempt, (attempt) => attempt.request === null && this.#ledger.release(attempt));
      case "relay-draining":
        this.#isDraining = true;
        return;
      case "tick":
        return this.#ledger.agenda.onWoken();
      default:
        return unreachable(event);
    }
  }

  // ---- requests ----

  /**
   * 1. draining: refused  2. nobody offers the model: 404  3. a free slot: dispatched  4. no room for its bytes: refused
   * 5. one too many waits: it is refused, or the newest of a key that has more waiting  6. waits
   */
  #onArrived(event: RequestArrived): void {
    if (this.#ledger.requests.has(event.request)) return;
    if (this.#isDraining) return this.#ledger.refuse(event.request, "draining"); // (1)
    if (!this.#mayWait(event.model))
      return this.#ledger.refuse(event.request, "model_not_found", this.#ledger.roster.nearestModels(event.model)); // (2)
    const request = this.#ledger.admit(event);
    this.#ledger.giveAway(request); // (3)
    if (request.state.kind !== "queued") return;
    const { maxQueueLength, maxQueueBytes } = this.#ledger.limits;
    const { queue } = this.#ledger;
    if (queue.bytes > maxQueueBytes) return this.#ledger.endEarly(request, "failed", "queue_full"); // (4)
    const isOver = maxQueueLength > 0 && queue.size > maxQueueLength;
    if (isOver) this.#ledger.endEarly(queue.oneTooMany(request), "failed", "queue_full"); // (5)
  }

  #mayWait(model: string): boolean {
    const { modelGraceMs } = this.#ledger.limits;
    this.#ledger.roster.forgetWithdrawn(this.#ledger.nowMs, modelGraceMs);
    const isStarting = this.#ledger.nowMs - this.#startedAtMs < modelGraceMs;
    return isStarting || this.#ledger.roster.workers.size === 0 || this.#ledger.roster.isKnown(model, this.#ledger.nowMs, modelGraceMs);
  }

  // ---- attempts ----

  #onStarted(attempt: Attempt): void {
    if (attempt.request?.state.kind !== "dispatched") return;
    attempt.worker.coolDowns = 0;
    attempt.request.state = { kind: "streaming", attempt };
    this.#ledger.setDeadline(attempt.request);
  }

  #onRejected(attempt: Attempt, reason: "draining" | "full" | "unsent"): void {
    const { request, worker } = attempt;
    if (reason === "draining") worker.isDraining = true;
    else worker.isFull = true;
    this.#ledger.release(attempt);
    if (request === null) return;
    if (request.state.kind === "streaming") this.#ledger.fail(request, "backend_error");
    else this.#ledger.requeueAll([{ request, attempt }], "rejected");
  }

  /**
   * 1. cancelled before: only the slot counts          2. complete
   * 3. before the first byte, connection refused: the worker cools down, another worker is tried
   * 4. before the first byte, dropped: one more try on another worker
   * 5. anything else fails the request
   */
  #onEnded(attempt: Attempt, outcome: ResponseOutcome): void {
    const { request, worker } = attempt;
    if (outcome === "connection-refused") this.#coolDown(worker);
    this.#ledger.release(attempt);
    if (request === null) return; // (1)
    if (outcome === "ok") {
      worker.coolDowns = 0;
      return this.#ledger.finish(request); // (2)
    }
    const isUnanswered = request.state.kind === "dispatched";
    if (isUnanswered && outcome === "connection-refused") return this.#tryElsewhere(request, attempt, "connection-refused"); // (3)
    if (isUnanswered && outcome === "dropped") return this.#tryElsewhere(request, attempt, "dropped"); // (4)
    this.#ledger.fail(request, "backend_error"); // (5)
  }

  #tryElsewhere(request: RequestRecord, attempt: Attempt, cause: "connection-refused" | "dropped"): void {
    request.avoid = (request.avoid ?? new Set()).add(attempt.worker.id);
    const isLastDrop = cause === "dropped" && ++request.drops > 1;
    if (isLastDrop || !this.#ledger.roster.isOfferedElsewhere(request)) return this.#ledger.fail(request, "backend_error");
    if (cause === "connection-refused" && ++request.requeues > this.#ledger.limits.maxRequeues)
      return this.#ledger.fail(request, "requeue_exhausted");
    this.#ledger.requeueAll([{ request, attempt }], cause);
  }

  #coolDown(worker: WorkerRecord): void {
    if (worker.isCoolingDown) return;
    const { coolDownMinMs, coolDownMaxMs } = this.#ledger.limits;
    worker.isCoolingDown = true;
    this.#ledger.agenda.set(worker, this.#ledger.nowMs + Math.min(coolDownMaxMs, coolDownMinMs * 2 ** worker.coolDowns));
    worker.coolDowns++;
  }

  // ---- workers ----

  #onJoined(event: WorkerJoined): void {
    if (this.#ledger.roster.workers.has(event.worker)) return;
    const older = this.#ledger.roster.ofInstance(event.instance);
    if (older !== null) {
      this.#ledger.effects.push({ type: "close-worker", worker: older.id, cause: "superseded" });
      this.#removeWorkers([older]);
    }
    const worker: WorkerRecord = {
      kind: "worker",
      id: event.worker,
      instance: event.instance,
      slots: event.slots,
      models: new Set(event.models),
      attempts: new Set(),
      external: event.load,
      isDraining: false,
      isFull: false,
      isCoolingDown: false,
      coolDowns: 0,
      lastGiven: Number.MIN_SAFE_INTEGER + ++this.#joins,
      seats: [],
      heapIndex: -1,
      dueAtMs: Infinity,
    };
    this.#ledger.roster.add(worker);
    this.#ledger.reseat(worker);
  }

  #drain(worker: WorkerRecord): void {
    if (worker.isDraining) return;
    worker.isDraining = true;
    this.#ledger.reseat(worker);
    if (worker.attempts.size === 0) this.#ledger.effects.push({ type: "worker-drained", worker: worker.id });
  }

  /** Takes them out and judges their requests one by one. */
  #removeWorkers(workers: Iterable<WorkerRecord>): void {
    const unanswered: Unanswered[] = [];
    for (const worker of workers) {
      this.#ledger.dismiss(worker);
      for (const attempt of worker.attempts) {
        this.#ledger.leaveTable(attempt);
        const { request } = attempt;
        if (request === null) continue;
        if (request.state.kind === "streaming") this.#ledger.fail(request, "worker_lost");
        else if (++request.requeues > this.#ledger.limits.maxRequeues) this.#ledger.fail(request, "requeue_exhausted");
        else unanswered.push({ request, attempt });
      }
    }
    this.#ledger.requeueAll(unanswered, "worker-lost");
  }

  // ---- time ----

  #doWhatIsDue(): void {
    const unaccountable = new Set<WorkerRecord>();
    for (const subject of this.#ledger.agenda.takeDue(this.#ledger.nowMs)) {
      if (subject.kind === "worker") this.#endCoolDown(subject);
      else if (subject.kind === "attempt") unaccountable.add(subject.worker);
      else this.#timeOut(subject);
    }
    for (const worker of unaccountable) {
      this.#ledger.effects.push({ type: "close-worker", worker: worker.id, cause: "cancel-unanswered" });
    }
    this.#removeWorkers(unaccountable);
  }

  #endCoolDown(worker: WorkerRecord): void {
    worker.isCoolingDown = false;
    this.#ledger.reseat(worker);
  }

  /** The deadline that passed first names the cause. */
  #timeOut(request: RequestRecord): void {
    const { queueAtMs, requestAtMs, nextAtMs } = deadlinesOf(request, this.#ledger.limits);
    const code = nextAtMs === queueAtMs ? this.#causeOfWaiting(request) : nextAtMs === requestAtMs ? "request_timeout" : "total_timeout";
    this.#ledger.endEarly(request, "timeout", code);
  }

  #causeOfWaiting(request: RequestRecord): RefusalCode {
    let cause: RefusalCode = "no_workers";
    for (const worker of this.#ledger.roster.offering(request.model)) {
      if (!worker.isCoolingDown) return "queue_timeout";
      cause = "backend_error";
    }
    return cause;
  }

  // ---- questions ----

  /** Place among the waiting requests of its model, 1 being next; null when it does not wait. */
  position(id: RequestId): number | null {
    const request = this.#ledger.requests.get(id);
    return request?.state.kind === "queued" ? this.#ledger.queue.position(request) : null;
  }

  /** Null: not connected. */
  standing(id: WorkerId): WorkerStanding | null {
    const worker = this.#ledger.roster.workers.get(id);
    return worker === undefined ? null : { slotsTaken: worker.attempts.size, isCoolingDown: worker.isCoolingDown };
  }

  counts(): SchedulerCounts {
    const { size: queued, bytes: queuedBytes } = this.#ledger.queue;
    return {
      queued,
      queuedBytes,
      requests: this.#ledger.requests.size,
      inFlight: this.#ledger.attempts.size,
      workers: this.#ledger.roster.workers.size,
    };
  }

  // ---- lookups: what is not (or no longer) known is a late or foreign word, and means nothing ----

  #withRequest(id: RequestId, act: (request: RequestRecord) => void): void {
    const request = this.#ledger.requests.get(id);
    if (request !== undefined) act(request);
  }

  #withAttempt(id: AttemptId, act: (attempt: Attempt) => void): void {
    const attempt = this.#ledger.attempts.get(id);
    if (attempt !== undefined) act(attempt);
  }

  #withWorker(id: WorkerId, act: (worker: WorkerRecord) => void): void {
    const worker = this.#ledger.roster.workers.get(id);
    if (worker !== undefined) act(worker);
  }
}
