// Relay's end of protocol v1, with the patience its workers need: no acknowledged cancels, status last, chunks that come late.
import { PeerError } from "../base/errors.ts";
import type { AnswerBody } from "../hub/answer-body.ts";
import type { AnswerHead, Job, WorkerHandle } from "../hub/handles.ts";
import { CLOSE } from "../protocol/close.ts";
import { decodeV1WorkerMessage } from "../protocol/decode.ts";
import { UNARY_ANSWER_MAX_BYTES, MIB } from "../protocol/limits.ts";
import type { V1WorkerMessage } from "../protocol/v1.ts";
import type { AttemptId, CancelCause } from "../scheduler/events.ts";
import { CancelProbe } from "./cancel-probe.ts";
import { ignoreFrame, isUsableStatus, onModelsUpdate, type Session, type SessionWorld } from "./session.ts";

/** One attempt, by the request id made for it. */
interface V1Attempt {
  readonly id: AttemptId;
  readonly isStreaming: boolean;
  /** The stamp of the last ping that was sent before it. */
  readonly sentAfter: number;
  state: V1State;
}

type V1State =
  | { readonly kind: "sent" }
  /** Its first chunk was not SSE: probably an error body, whose status comes last. */
  | { readonly kind: "holding"; readonly chunks: Buffer[]; bytes: number }
  | { readonly kind: "answering"; readonly body: AnswerBody }
  | { readonly kind: "unwanted" };

/** v1 has no flow control: a client this far behind its stream is cut off. */
const V1_BUFFER_MAX_BYTES = 8 * MIB;
/** Nor has it for request bodies: a worker this far behind gets no more of them, before they cost it its connection (at 160 MiB). */
const V1_UPLINK_MAX_BYTES = 64 * MIB;
/** A streamed error body longer than this is taken for a stream after all. */
const HOLD_MAX_BYTES = 1 * MIB;

export function createV1Session(world: SessionWorld): Session {
  return new V1Session(world);
}

class V1Session implements Session {
  readonly handle: WorkerHandle;
  readonly #world: SessionWorld;
  readonly #attempts = new Map<string, V1Attempt>();
  readonly #names = new Map<AttemptId, string>();
  readonly #probe: CancelProbe;
  #lastNumber = 0;
  #lastProbe = 0;
  /** It was refused a request for its slow uplink. */
  #isBehind = false;

  constructor(world: SessionWorld) {
    this.#world = world;
    this.#probe = new CancelProbe(world.clock, () => (this.#lastProbe = world.wire.ping()));
    this.handle = {
      send: (job) => this.#send(job),
      cancel: (attempt, cause) => this.#cancel(attempt, cause),
      shutDown: (reason, drainTimeoutMs) =>
        void world.wire.sendMessage({ type: "graceful_shutdown", reason, drain_timeout_secs: Math.ceil(drainTimeoutMs / 1000) }),
      refreshModels: (reason) => void world.wire.sendMessage({ type: "models_refresh", reason }),
      close: (close) => world.wire.close(close),
    };
  }

  onText(text: string): void {
    const message = decodeV1WorkerMessage(text);
    if (message.type === "unknown") return ignoreFrame(this.#world, message.name);
    this.#onMessage(message);
  }

  onBinary(): void {
    throw new PeerError(CLOSE.registrationError.code, CLOSE.registrationError.reason);
  }

  /** The relay gives it work again when it has reported its load: ask at once rather than wait for the next heartbeat. */
  onDrain(): void {
    if (this.#isBehind) this.#world.wire.ping();
    this.#isBehind = false;
  }

  onClosed(): void {
    this.#attempts.clear();
    this.#names.clear();
    this.#probe.stop();
  }

  // ---- to the worker ----

  #send(job: Job): boolean {
    const { request } = job;
    this.#isBehind = this.#world.wire.waitingBytes > V1_UPLINK_MAX_BYTES;
    if (this.#isBehind) return false;
    const name = `${job.attempt}-${++this.#lastNumber}`;
    const fate = this.#world.wire.sendMessage({
      type: "request",
      request_id: name,
      model: request.model,
      endpoint_path: request.path,
      is_streaming: request.isStreaming,
      body: Buffer.from(request.body.buffer, request.body.byteOffset, request.body.byteLength).toString("utf8"),
      headers: request.headers,
    });
    if (fate === "lost") return false;
    const sentAfter = this.#world.wire.lastStamp;
    this.#attempts.set(name, { id: job.attempt, isStreaming: request.isStreaming, sentAfter, state: { kind: "sent" } });
    this.#names.set(job.attempt, name);
    return true;
  }

  #cancel(id: AttemptId, cause: CancelCause): void {
    const name = this.#names.get(id);
    if (name === undefined) return;
    this.#attempts.get(name)!.state = { kind: "unwanted" };
    this.#world.wire.sendMessage({ type: "cancel", request_id: name, reason: cause === "timeout" ? "timeout" : "client_disconnect" });
    this.#probe.onCancelled(name);
  }

  // ---- from the worker ----

  #onMessage(message: V1WorkerMessage): void {
    const { hub, worker, log } = this.#world;
    switch (message.type) {
      case "response_chunk":
        return this.#onChunk(message.request_id, message.chunk);
      case "response_complete":
        return this.#onComplete(message);
      case "models_update":
        return onModelsUpdate(this.#world, message);
      case "pong":
        return this.#onPong(message.current_load ?? null, message.timestamp_unix_ms ?? null);
      case "error":
        log.warn("worker reported an error", { worker_id: worker, code: message.code ?? "", detail: message.message ?? "" });
        if (typeof message.request_id !== "string") return;
        const entry = this.#remove(message.request_id);
        if (entry === null) return ignoreFrame(this.#world, "error");
        return hub.endAttempt(entry.id, entry.state.kind === "sent" ? "dropped" : "failed");
    }
  }

  /**
   * 1. late, foreign or unknown: dropped        2. answering: on it goes, unless the client is too far behind
   * 3. the first chunk looks like SSE: the answer starts as the 200 it must be      4. else held until the status is known
   */
  #onChunk(name: string, chunk: string): void {
    const entry = this.#attempts.get(name);
    if (entry === undefined || entry.state.kind === "unwanted") return ignoreFrame(this.#world, "response_chunk"); // (1)
    if (chunk === "") return;
    const bytes = Buffer.from(chunk);
    if (entry.state.kind === "answering") {
      entry.state.body.push(bytes); // (2)
      if (entry.state.body.bufferedBytes > V1_BUFFER_MAX_BYTES) this.#world.hub.failAttempt(entry.id, "client_stalled");
      return;
    }
    if (entry.state.kind === "sent" && SSE_BEGINNING.test(chunk)) return this.#start(entry, STREAM_HEAD)?.push(bytes); // (3)
    if (entry.state.kind === "sent") entry.state = { kind: "holding", chunks: [], bytes: 0 };
    entry.state.chunks.push(bytes); // (4)
    entry.state.bytes += bytes.byteLength;
    if (entry.state.bytes <= HOLD_MAX_BYTES) return;
    const held = entry.state.chunks;
    const body = this.#start(entry, STREAM_HEAD);
    for (const part of held) body?.push(part);
  }

  #onComplete(message: V1WorkerMessage & { type: "response_complete" }): void {
    const entry = this.#remove(message.request_id);
    if (entry === null) return ignoreFrame(this.#world, "response_complete");
    const { hub } = this.#world;
    const { state } = entry;
    if (state.kind === "unwanted") return hub.endAttempt(entry.id, "ok");
    // What was streamed as a 200 and turns out to have been an error ends as a broken stream.
    if (state.kind === "answering") return hub.endAttempt(entry.id, message.status_code < 300 ? "ok" : "failed");
    const parts = state.kind === "holding" ? state.chunks : [];
    if (message.body) parts.push(Buffer.from(message.body));
    const isTooLarge = !entry.isStreaming && parts.reduce((sum, part) => sum + part.byteLength, 0) > UNARY_ANSWER_MAX_BYTES;
    if (!isUsableStatus(message.status_code) || isTooLarge) return hub.endAttempt(entry.id, "failed");
    const body = this.#start(entry, { status: message.status_code, headers: lowerCaseNames(message.headers ?? {}) });
    for (const part of parts) body?.push(part);
    hub.endAttempt(entry.id, "ok");
  }

  #onPong(load: number | null, stamp: number | null): void {
    const { hub, worker } = this.#world;
    if (load !== null) hub.fleet.reportLoad(worker, load);
    // What was sent after the ping may not be part of the load in its pong: counted in, it would hide one that still runs.
    const ping = stamp ?? this.#lastProbe;
    let live = 0;
    for (const { state, sentAfter } of this.#attempts.values()) if (state.kind !== "unwanted" && sentAfter < ping) live++;
    for (const name of this.#probe.onPong(load ?? 0, live, stamp)) {
      const entry = this.#remove(name);
      if (entry !== null) hub.acknowledgeCancel(entry.id);
    }
  }

  #start(entry: V1Attempt, head: AnswerHead): AnswerBody | null {
    const body = this.#world.hub.startAnswer(entry.id, head, () => {});
    if (body !== null) entry.state = { kind: "answering", body };
    return body;
  }

  #remove(name: string): V1Attempt | null {
    const entry = this.#attempts.get(name);
    if (entry === undefined) return null;
    this.#attempts.delete(name);
    this.#names.delete(entry.id);
    this.#probe.onGone(name);
    return entry;
  }
}

const STREAM_HEAD: AnswerHead = { status: 200, headers: { "content-type": "text/event-stream" } };

/** A field, a comment or an empty line: how a server-sent event stream begins (WHATWG HTML, 9.2.5). */
const SSE_BEGINNING = /^\uFEFF?(?:data|event|id|retry)?:|^[\r\n]/;

function lowerCaseNames(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
