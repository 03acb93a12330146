// The one impure loop: tells the scheduler what happened, performs what it answers, and connects each answer with its client.
import type { Clock } from "../base/clock.ts";
import type { RefusalCode } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { CLOSE } from "../protocol/close.ts";
import type { AttemptId, Effect, RequestId, ResponseOutcome } from "../scheduler/events.ts";
import { AnswerBody } from "./answer-body.ts";
import { BODIES_MAX_BYTES, ByteBudget, type Reservation } from "./byte-budget.ts";
import { Counters } from "./counters.ts";
import { Fleet } from "./fleet.ts";
import type { AnswerHead, ClientHandle, RelayRequest } from "./handles.ts";
import type { Dispatched, LiveRequest } from "./live-request.ts";
import type { SchedulerSeam } from "./seam.ts";
import { watchAnswer, type WatchLimits } from "./watch-answer.ts";

export interface HubWorld {
  readonly scheduler: SchedulerSeam;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: WatchLimits;
}

export class Hub {
  readonly bodies = new ByteBudget(BODIES_MAX_BYTES);
  readonly counters = new Counters();
  readonly fleet: Fleet;
  readonly #world: HubWorld;
  readonly #requests = new Map<RequestId, LiveRequest>();
  /** Attempts whose answer somebody waits for. */
  readonly #attempts = new Map<AttemptId, LiveRequest>();
  #lastRequest = 0;
  #onIdle: (() => void) | null = null;

  constructor(world: HubWorld) {
    this.#world = world;
    this.fleet = new Fleet(world);
    world.scheduler.onEffects((effects) => {
      for (const effect of effects) this.#performSafely(effect);
    });
  }

  // ---- for the edge ----

  /** Takes a request in. `reservation` holds its body's bytes and is the hub's from here on. */
  submit(request: RelayRequest, client: ClientHandle, reservation: Reservation): RequestId {
    const id: RequestId = `r${++this.#lastRequest}`;
    const { clock, scheduler } = this.#world;
    this.#requests.set(id, { id, request, client, submittedAtMs: clock.nowMs(), reservation, phase: { kind: "queued" } });
    this.counters.accepted++;
    const { model, key, keyLimit, isStreaming, body } = request;
    scheduler.post({ type: "request-arrived", request: id, model, key, keyLimit, bytes: body.byteLength, isStreaming });
    return id;
  }

  /** The client hung up. */
  leave(id: RequestId): void {
    const live = this.#requests.get(id);
    if (live === undefined) return;
    this.counters.count("client_left");
    if (live.phase.kind === "answering") live.phase.body.abandon();
    this.#world.scheduler.post({ type: "client-left", request: id });
  }

  /** Ends a request with an error the edge (or an operator) decided on. */
  fail(id: RequestId, code: RefusalCode): void {
    this.#world.scheduler.post({ type: "request-failed", request: id, code });
  }

  /** Ends every request of a key that is good no more. */
  failKey(key: string): void {
    for (const [id, live] of this.#requests) if (live.request.key === key) this.fail(id, "invalid_api_key");
  }

  /** 1: next for its model; null: does not wait, or not known here. */
  position(id: RequestId): number | null {
    return this.#world.scheduler.position(id);
  }

  // ---- for the links ----

  /** The worker did not start it, or it was never sent. */
  reject(attempt: AttemptId, reason: "draining" | "full" | "unsent"): void {
    this.#world.scheduler.post({ type: "attempt-rejected", attempt, reason });
  }

  /**
   * The backend's status and headers are there. Returns where its bytes go, or null when nobody waits for them any more;
   * `onTaken` is told of bytes the client took.
   */
  startAnswer(attempt: AttemptId, head: AnswerHead, onTaken: (bytes: number) => void): AnswerBody | null {
    const { clock, scheduler, limits } = this.#world;
    const live = this.#attempts.get(attempt);
    if (live?.phase.kind !== "dispatched" || live.phase.attempt !== attempt) return null;
    const dispatched = live.phase;
    const body = new AnswerBody(clock, onTaken);
    const watch = watchAnswer(body, live.request.isStreaming, limits, clock, (code) => this.fail(live.id, code));
    live.phase = { kind: "answering", dispatched, body, watch };
    live.request = { ...live.request, body: NO_BODY };
    live.reservation.release();
    scheduler.post({ type: "response-started", attempt });
    const { workerName, queuedMs, tries } = dispatched;
    live.client.onAnswer(head, body, { workerName, queuedMs, tries });
    return body;
  }

  /** The attempt is over on the worker's side. For a complete answer all its bytes have been pushed before. */
  endAttempt(attempt: AttemptId, outcome: ResponseOutcome): void {
    const live = this.#attempts.get(attempt);
    if (outcome === "ok" && live?.phase.kind === "answering") live.phase.body.finish({ kind: "complete" });
    this.#world.scheduler.post({ type: "response-ended", attempt, outcome });
  }

  /** What arrived for this attempt cannot be an answer: the request fails, and the worker is told to stop. */
  failAttempt(attempt: AttemptId, code: RefusalCode): void {
    const live = this.#attempts.get(attempt);
    if (live !== undefined) this.fail(live.id, code);
  }

  acknowledgeCancel(attempt: AttemptId): void {
    this.#world.scheduler.post({ type: "cancel-acknowledged", attempt });
  }

  // ---- for server and admin ----

  get requests(): ReadonlyMap<RequestId, LiveRequest> {
    return this.#requests;
  }

  get queueDepth(): number {
    let depth = 0;
    for (const live of this.#requests.values()) if (live.phase.kind === "queued") depth++;
    return depth;
  }

  /** No new requests from here on; resolves when none is left. */
  async drain(): Promise<void> {
    this.#world.scheduler.post({ type: "relay-draining" });
    if (this.#requests.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }

  /** Ends everything that still runs with an error. */
  failAll(code: RefusalCode): void {
    for (const id of this.#requests.keys()) this.fail(id, code);
  }

  // ---- effects ----

  /** A mistake of ours with one request must not cost the others their effects. */
  #performSafely(effect: Effect): void {
    try {
      this.#perform(effect);
    } catch (error) {
      this.#world.log.error("internal error", { effect: effect.type, cause: error instanceof Error ? error.message : String(error) });
    }
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case "dispatch":
        return this.#dispatch(effect);
      case "cancel":
        this.#attempts.delete(effect.attempt);
        return this.fleet.workers.get(effect.worker)?.handle.cancel(effect.attempt, effect.cause);
      case "requeued":
        return this.#requeue(effect);
      case "refuse":
        return this.#refuse(effect);
      case "end":
        return this.#end(effect.request);
      case "close-worker":
        return this.fleet.workers
          .get(effect.worker)
          ?.handle.close(effect.cause === "superseded" ? CLOSE.superseded : CLOSE.cancelUnanswered);
      case "worker-drained":
        return this.#world.log.info("worker drained", { worker_id: effect.worker });
      case "wake":
        return;
    }
  }

  #dispatch(effect: Effect & { type: "dispatch" }): void {
    const live = this.#requests.get(effect.request);
    const worker = this.fleet.workers.get(effect.worker);
    if (live === undefined || worker === undefined) return this.reject(effect.attempt, "unsent");
    const dispatched: Dispatched = {
      kind: "dispatched",
      attempt: effect.attempt,
      worker: effect.worker,
      workerName: worker.info.name,
      tries: effect.tries,
      queuedMs: effect.waitedMs,
    };
    live.phase = dispatched;
    this.#attempts.set(effect.attempt, live);
    this.#world.log.info("request dispatched", {
      request_id: live.request.publicId,
      worker_id: effect.worker,
      model: live.request.model,
      tries: effect.tries,
      queued_ms: Math.round(effect.waitedMs),
    });
    if (!worker.handle.send({ attempt: effect.attempt, request: live.request })) this.reject(effect.attempt, "unsent");
  }

  #requeue(effect: Effect & { type: "requeued" }): void {
    this.#attempts.delete(effect.attempt);
    const live = this.#requests.get(effect.request);
    if (live === undefined) return;
    live.phase = { kind: "queued" };
    this.counters.requeued++;
    this.#world.log.warn("request requeued", { request_id: live.request.publicId, model: live.request.model, cause: effect.cause });
  }

  #refuse(effect: Effect & { type: "refuse" }): void {
    const live = this.#forget(effect.request);
    if (live === undefined) return;
    const { code, nearest } = effect;
    this.counters.count(code);
    const fields = { request_id: live.request.publicId, model: live.request.model, code };
    this.#world.log.warn(REFUSAL_LINES.get(code) ?? "request failed", fields);
    if (live.phase.kind === "answering") live.phase.body.finish({ kind: "failed", refusal: { code, nearest } });
    else live.client.onRefused({ code, nearest });
  }

  #end(request: RequestId): void {
    const live = this.#forget(request);
    if (live === undefined) return;
    const { phase } = live;
    const fields = { request_id: live.request.publicId, model: live.request.model };
    const isComplete = phase.kind === "answering" && phase.body.end?.kind === "complete";
    if (!isComplete) return this.#world.log.info("client left", { ...fields, phase: phase.kind });
    this.counters.count("complete");
    const durationMs = Math.round(this.#world.clock.nowMs() - live.submittedAtMs);
    this.#world.log.info("response complete", { ...fields, worker_id: phase.dispatched.worker, duration_ms: durationMs });
  }

  #forget(id: RequestId): LiveRequest | undefined {
    const live = this.#requests.get(id);
    if (live === undefined) return undefined;
    this.#requests.delete(id);
    live.reservation.release();
    if (live.phase.kind === "dispatched") this.#attempts.delete(live.phase.attempt);
    if (live.phase.kind === "answering") {
      this.#attempts.delete(live.phase.dispatched.attempt);
      live.phase.watch.stop();
    }
    if (this.#requests.size === 0) this.#onIdle?.();
    return live;
  }
}

const NO_BODY = new Uint8Array();

/** The phrases operators grep for. */
const REFUSAL_LINES: ReadonlyMap<RefusalCode, string> = new Map([
  ["queue_full", "queue full"],
  ["queue_timeout", "queue timeout"],
  ["no_workers", "queue timeout"],
  ["requeue_exhausted", "requeue exhausted"],
]);
