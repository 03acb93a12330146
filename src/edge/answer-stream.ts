// An answer on its way out: pulled by the client, interrupted by nothing but the relay's own comments and, if it must be, its error.
import type { Clock, Timer } from "../base/clock.ts";
import type { Refusal } from "../base/errors.ts";
import type { AnswerBody } from "../hub/answer-body.ts";
import { SseGate } from "./sse-gate.ts";
import type { StreamPositionReader } from "./stream-position.ts";
import type { StreamPosition } from "./dialect.ts";

export interface AnswerStreamOptions {
  readonly clock: Clock;
  /** Server-sent events: the relay may speak between them. Anything else passes as it comes and is cut off when it fails. */
  readonly isSse: boolean;
  /** Silence after which a comment goes out; 0: none. */
  readonly keepaliveMs: number;
  /** Without the colon: `keep-alive`, `queued, position 3`. */
  readonly comment: () => string;
  /** Reads along where the dialect's failures need to know where the stream stands. */
  readonly position: StreamPositionReader | null;
  /** The event that says what went wrong. */
  readonly errorEvent: (refusal: Refusal, at: StreamPosition) => string;
  /** Nothing more comes from the hub; what is there may still be on its way to the client. */
  readonly onOver: () => void;
}

/**
 * What the runtime may ask for ahead of a client: the next chunk. What the worker may send ahead waits in the body's own window;
 * and the runtime sets aside a buffer of this size for each stream.
 */
const AHEAD_BYTES = 1;
/** A cut resets the connection, which may overtake what is still in the socket: give it time to leave, the error event most of all. */
const CUT_DELAY_MS = 500;

const NOWHERE: StreamPosition = { responseId: null, sequenceNumber: null };

type Controller = ReadableStreamDefaultController<Uint8Array>;

export class AnswerStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #options: AnswerStreamOptions;
  readonly #gate = new SseGate();
  #controller!: Controller;
  #body: AnswerBody | null = null;
  #isWanted = false;
  #isOver = false;
  #keepalive: Timer | null = null;
  #lastSentMs: number;
  #prefix: readonly Uint8Array[];

  /** `prefix`: bytes that were taken from the body before it was known that it would be streamed. */
  constructor(options: AnswerStreamOptions, prefix: readonly Uint8Array[] = []) {
    this.#options = options;
    this.#prefix = prefix;
    this.#lastSentMs = options.clock.nowMs();
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#onPull(),
        cancel: () => this.stop(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: AHEAD_BYTES }),
    );
    this.#armKeepalive();
  }

  /** The backend's answer follows from here. */
  attach(body: AnswerBody): void {
    this.#body = body;
    body.whenEnded((end) => {
      // Nothing more comes from the backend: from here on it is the connection's own limits that watch the client.
      this.#options.onOver();
      if (end.kind === "failed" && end.refusal.code === "client_stalled") this.#cut();
    });
    this.#pump();
  }

  /** Says what went wrong and cuts the connection. Only before `attach`; later failures come through the body. */
  fail(refusal: Refusal): void {
    this.#endWithError(this.#options.errorEvent(refusal, this.#options.position?.position ?? NOWHERE));
  }

  /** The same with an event made elsewhere. */
  failWith(event: string): void {
    this.#endWithError(event);
  }

  /** The client is gone: nothing is sent any more. */
  stop(): void {
    this.#isOver = true;
    this.#keepalive?.stop();
  }

  #onPull(): void {
    this.#isWanted = true;
    this.#pump();
  }

  #pump(): void {
    while (this.#isWanted && !this.#isOver) {
      const body = this.#body;
      if (body === null) return;
      const chunks = this.#takePrefixed(body);
      if (chunks.length > 0) this.#sendChunks(chunks);
      else if (body.end === null) return body.whenReadable(() => this.#pump());
      else return this.#finish(body.end.kind === "failed" ? body.end.refusal : null);
    }
  }

  #takePrefixed(body: AnswerBody): readonly Uint8Array[] {
    if (this.#prefix.length === 0) return body.take();
    const prefix = this.#prefix;
    this.#prefix = [];
    return prefix;
  }

  #sendChunks(chunks: readonly Uint8Array[]): void {
    const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
    const ready = this.#options.isSse ? this.#gate.push(bytes) : bytes;
    if (ready.byteLength === 0) return;
    this.#options.position?.see(ready);
    this.#send(ready);
  }

  #send(bytes: Uint8Array): void {
    this.#isWanted = false;
    this.#lastSentMs = this.#options.clock.nowMs();
    this.#controller.enqueue(bytes);
  }

  #finish(refusal: Refusal | null): void {
    if (refusal !== null) return this.fail(refusal);
    // First of all: to enqueue may call for more at once, and there is no more.
    this.stop();
    const rest = this.#gate.flush();
    if (rest.byteLength > 0) this.#controller.enqueue(rest);
    this.#controller.close();
  }

  #endWithError(event: string): void {
    if (this.#isOver) return;
    this.stop();
    this.#options.onOver();
    // Behind an unfinished event too large to have been held, an empty line ends it first.
    const text = this.#gate.isAtBoundary ? event : `\n\n${event}`;
    if (this.#options.isSse) this.#controller.enqueue(Buffer.from(text));
    this.#options.clock.startTimer(CUT_DELAY_MS, () => this.#cut());
  }

  /** Destroys the connection without the final chunk: what no client library can take for the end of an answer. */
  #cut(): void {
    this.stop();
    try {
      this.#controller.error(new Error("the answer broke off"));
    } catch {
      // The client went first.
    }
  }

  #armKeepalive(): void {
    const { keepaliveMs, clock, isSse } = this.#options;
    if (keepaliveMs <= 0 || !isSse) return;
    const check = (): void => {
      const quietMs = clock.nowMs() - this.#lastSentMs;
      const isDue = quietMs >= keepaliveMs;
      if (isDue) this.sendComment();
      this.#keepalive = clock.startTimer(isDue ? keepaliveMs : keepaliveMs - quietMs, check);
    };
    this.#keepalive = clock.startTimer(keepaliveMs, check);
  }

  /** Only where an event ended, and only to a client that reads: comments must not pile up. */
  sendComment(): void {
    const hasRoom = (this.#controller.desiredSize ?? 0) > 0;
    if (this.#isOver || !hasRoom || !this.#gate.isAtBoundary) return;
    this.#lastSentMs = this.#options.clock.nowMs();
    this.#controller.enqueue(Buffer.from(`: ${this.#options.comment()}\n\n`));
  }
}
