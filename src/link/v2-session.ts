// Relay's end of protocol v2: control messages as text, bodies as binary frames, every stream within its window.
import { PeerError, type RefusalCode } from "../base/errors.ts";
import type { AnswerBody } from "../hub/answer-body.ts";
import type { Job, WorkerHandle } from "../hub/handles.ts";
import { CLOSE } from "../protocol/close.ts";
import { decodeV2WorkerMessage } from "../protocol/decode.ts";
import { decodeBodyFrame } from "../protocol/frames.ts";
import { ANSWER_HEADERS_MAX_BYTES, UNARY_ANSWER_MAX_BYTES, V2_FRAME_MAX_BYTES, windowBytes } from "../protocol/limits.ts";
import type { V2WorkerMessage } from "../protocol/v2.ts";
import type { AttemptId, CancelCause, ResponseOutcome } from "../scheduler/events.ts";
import { FullStreak } from "./full-streak.ts";
import { Outbox } from "./outbox.ts";
import { ignoreFrame, isUsableStatus, onModelsUpdate, type Session, type SessionWorld } from "./session.ts";

/** One attempt, by its number on this connection. */
interface V2Attempt {
  readonly id: AttemptId;
  /** For the log. */
  readonly requestId: string;
  readonly model: string;
  readonly isStreaming: boolean;
  /** sent: no answer yet. answering: bytes may come. unwanted: cancelled, or failed by us; its end is still awaited. */
  state: { readonly kind: "sent" } | Answering | { readonly kind: "unwanted" };
}

interface Answering {
  readonly kind: "answering";
  readonly body: AnswerBody;
  /** Bytes the worker may still send. */
  window: number;
  /** Bytes the client took that the worker was not credited for yet. */
  owed: number;
  received: number;
}

export function createV2Session(world: SessionWorld): Session {
  return new V2Session(world);
}

class V2Session implements Session {
  readonly handle: WorkerHandle;
  readonly #world: SessionWorld;
  readonly #windowBytes: number;
  readonly #outbox: Outbox;
  readonly #attempts = new Map<number, V2Attempt>();
  readonly #numbers = new Map<AttemptId, number>();
  #lastNumber = 0;
  readonly #fulls: FullStreak;

  constructor(world: SessionWorld) {
    this.#world = world;
    this.#fulls = new FullStreak(world.wire);
    this.#windowBytes = windowBytes(world.slots);
    this.#outbox = new Outbox(world.wire, this.#windowBytes);
    this.handle = {
      send: (job) => {
        let isSent = false;
        world.wire.together(() => (isSent = this.#send(job)));
        return isSent;
      },
      cancel: (attempt, cause) => this.#cancel(attempt, cause),
      shutDown: (reason, drainTimeoutMs, reconnectAfterMs) => {
        const times = { drain_timeout_secs: drainTimeoutMs / 1000, reconnect_after_secs: reconnectAfterMs / 1000 };
        world.wire.sendMessage({ type: "graceful_shutdown", reason, ...times });
      },
      refreshModels: (reason) => void world.wire.sendMessage({ type: "models_refresh", reason }),
      close: (close) => world.wire.close(close),
    };
  }

  onText(text: string): void {
    if (text.length > V2_FRAME_MAX_BYTES) throw new PeerError(CLOSE.frameTooLarge.code, CLOSE.frameTooLarge.reason);
    const message = decodeV2WorkerMessage(text);
    if (message.type === "unknown") return ignoreFrame(this.#world, message.name);
    this.#onMessage(message);
  }

  onBinary(frame: Uint8Array): void {
    if (frame.byteLength > V2_FRAME_MAX_BYTES) throw new PeerError(CLOSE.frameTooLarge.code, CLOSE.frameTooLarge.reason);
    const { kind, attempt, bytes } = decodeBodyFrame(frame);
    const entry = this.#attempts.get(attempt);
    // Bytes before the answer began would be missing from it: better no answer than one with a hole.
    if (kind === "response" && entry?.state.kind === "sent") return this.#fail(entry, "backend_error");
    const answer = entry?.state;
    if (kind !== "response" || entry === undefined || answer?.kind !== "answering") return ignoreFrame(this.#world, "body");
    answer.window -= bytes.byteLength;
    answer.received += bytes.byteLength;
    if (answer.window < 0) throw new PeerError(CLOSE.protocolError.code, CLOSE.protocolError.reason);
    if (!entry.isStreaming && answer.received > UNARY_ANSWER_MAX_BYTES) return this.#fail(entry, "backend_error");
    answer.body.push(bytes);
  }

  onDrain(): void {
    this.#outbox.onDrain();
  }

  onClosed(): void {
    this.#attempts.clear();
    this.#numbers.clear();
  }

  // ---- to the worker ----

  #send(job: Job): boolean {
    const { request } = job;
    const number = ++this.#lastNumber;
    const fate = this.#world.wire.sendMessage({
      type: "request",
      attempt: number,
      request_id: request.publicId,
      model: request.model,
      method: "POST",
      path: request.path,
      headers: request.headers,
      is_streaming: request.isStreaming,
      body_length: request.body.byteLength,
    });
    if (fate === "lost") return false;
    const { publicId: requestId, model, isStreaming } = request;
    this.#attempts.set(number, { id: job.attempt, requestId, model, isStreaming, state: { kind: "sent" } });
    this.#numbers.set(job.attempt, number);
    this.#outbox.add(number, request.body);
    return true;
  }

  #cancel(id: AttemptId, cause: CancelCause): void {
    const number = this.#numbers.get(id);
    if (number === undefined) return;
    this.#attempts.get(number)!.state = { kind: "unwanted" };
    this.#outbox.drop(number);
    this.#world.wire.sendMessage({ type: "cancel", attempt: number, reason: CANCEL_REASONS[cause] });
  }

  /** Made apart: it lives as long as the answer, and would keep the message. */
  #takenOf(number: number): (bytes: number) => void {
    return (bytes) => this.#onTaken(number, bytes);
  }

  /** Credit goes back in halves of the window: one small frame for many chunks. */
  #onTaken(number: number, bytes: number): void {
    const answer = this.#attempts.get(number)?.state;
    if (answer?.kind !== "answering") return;
    answer.owed += bytes;
    if (answer.owed < this.#windowBytes / 2) return;
    answer.window += answer.owed;
    this.#world.wire.sendMessage({ type: "credit", attempt: number, bytes: answer.owed });
    answer.owed = 0;
  }

  // ---- from the worker ----

  #onMessage(message: V2WorkerMessage): void {
    const { hub, worker, log } = this.#world;
    switch (message.type) {
      case "response_start":
        return this.#onStart(message);
      case "response_end":
        return this.#onEnd(message);
      case "reject":
        return this.#onReject(message);
      case "cancelled":
        return this.#onCancelled(message.attempt);
      case "credit":
        return this.#outbox.onCredit(message.attempt, message.bytes);
      case "draining":
        log.info("graceful shutdown", { worker_id: worker, by: "worker" });
        return hub.fleet.drain(worker, "worker");
      case "models_update":
        return onModelsUpdate(this.#world, this.#fulls.isDoubted ? { ...message, current_load: null } : message);
      case "pong":
        if (typeof message.current_load === "number" && !this.#fulls.isDoubted) hub.fleet.reportLoad(worker, message.current_load);
        return;
      case "error":
        return log.warn("worker reported an error", { worker_id: worker, code: message.code ?? "", detail: message.message ?? "" });
    }
  }

  #onStart(message: V2WorkerMessage & { type: "response_start" }): void {
    const entry = this.#attempts.get(message.attempt);
    if (entry?.state.kind !== "sent") return ignoreFrame(this.#world, "response_start");
    this.#fulls.onTaken();
    const { status_code: status, headers } = message;
    if (!isUsableStatus(status) || headerBytes(headers) > ANSWER_HEADERS_MAX_BYTES) return this.#fail(entry, "backend_error");
    const body = this.#world.hub.startAnswer(entry.id, { status, headers }, this.#takenOf(message.attempt));
    // The hub knows before us when an answer is not wanted any more; its cancel is on the way.
    if (body !== null) entry.state = { kind: "answering", body, window: this.#windowBytes, owed: 0, received: 0 };
  }

  #onEnd(message: V2WorkerMessage & { type: "response_end" }): void {
    const entry = this.#remove(message.attempt);
    if (entry === null) return ignoreFrame(this.#world, "response_end");
    this.#fulls.onTaken();
    const { error } = message;
    if (error) {
      const { requestId, model } = entry;
      const fields = { worker_id: this.#world.worker, request_id: requestId, model, kind: error.kind, detail: error.message ?? "" };
      this.#world.log.warn("backend error", fields);
      return this.#world.hub.endAttempt(entry.id, OUTCOMES[error.kind]);
    }
    // A complete answer that never started is none.
    this.#world.hub.endAttempt(entry.id, entry.state.kind === "sent" ? "failed" : "ok");
  }

  #onReject(message: V2WorkerMessage & { type: "reject" }): void {
    const entry = this.#remove(message.attempt);
    if (entry === null) return ignoreFrame(this.#world, "reject");
    this.#world.hub.reject(entry.id, message.reason);
    if (message.reason === "full") this.#fulls.onFull(message.attempt, this.#lastNumber);
  }

  #onCancelled(number: number): void {
    if (this.#attempts.get(number)?.state.kind !== "unwanted") return ignoreFrame(this.#world, "cancelled");
    this.#world.hub.acknowledgeCancel(this.#remove(number)!.id);
  }

  #fail(entry: V2Attempt, code: RefusalCode): void {
    this.#world.hub.failAttempt(entry.id, code);
  }

  #remove(number: number): V2Attempt | null {
    const entry = this.#attempts.get(number);
    if (entry === undefined) return null;
    this.#attempts.delete(number);
    this.#numbers.delete(entry.id);
    this.#outbox.drop(number);
    return entry;
  }
}

const CANCEL_REASONS = { "client-left": "client_disconnect", timeout: "timeout", failed: { other: "failed" } } as const satisfies Record<
  CancelCause,
  unknown
>;

const OUTCOMES = {
  connection_refused: "connection-refused",
  dropped: "dropped",
  broken: "failed",
  too_large: "failed",
} as const satisfies Record<string, ResponseOutcome>;

function headerBytes(headers: Readonly<Record<string, string>>): number {
  let bytes = 0;
  for (const name in headers) bytes += name.length + headers[name]!.length;
  return bytes;
}
