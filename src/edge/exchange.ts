// One client's request from its submission to the last byte of its answer: decides when a Response begins and what it is.
import type { Clock, Timer } from "../base/clock.ts";
import { type Refusal, refusalKind } from "../base/errors.ts";
import type { AnswerBody } from "../hub/answer-body.ts";
import type { AnswerHead, AnswerRoute, ClientHandle, RequestId } from "../hub/handles.ts";
import type { Hub } from "../hub/hub.ts";
import { AnswerStream } from "./answer-stream.ts";
import { backendErrorEvent, type Dialect, errorBody, errorEvent, type Problem } from "./dialect.ts";
import { StreamPositionReader } from "./stream-position.ts";
import { headersToClient } from "./headers.ts";

export interface ExchangeWorld {
  readonly hub: Hub;
  readonly clock: Clock;
  readonly keepaliveAfterMs: number;
  readonly keepaliveMs: number;
}

export interface ExchangeRequest {
  readonly publicId: string;
  readonly dialect: Dialect;
  readonly model: string;
  readonly isStreaming: boolean;
  /** May this caller hear of the model? */
  readonly mayUse: (model: string) => boolean;
  /** The answer is complete on our side: the connection may have its idle limit back. */
  readonly onOver: () => void;
}

/**
 * 1. waiting     nothing was sent: every outcome still gets its own status
 * 2. promised    a stream that waited too long got its 200 and comments: failures are in-band from here on
 * 3. collecting  a whole answer is being taken in, so that a failure in the middle of it is still a status
 * 4. streaming   the backend's bytes go out as they come
 * 5. over
 */
type Phase =
  | { readonly kind: "promised"; readonly stream: AnswerStream }
  | { readonly kind: "waiting" | "collecting" | "streaming" | "over" };

/** A whole answer up to this size is sent whole; a larger one is streamed from there on. */
const COLLECT_MAX_BYTES = 256 * 1024;
/** Of a backend's error after a promised 200, this much is looked at. */
const BACKEND_ERROR_MAX_BYTES = 64 * 1024;

export class Exchange implements ClientHandle {
  /** Resolves once it is known how the response begins. */
  readonly response: Promise<Response>;
  readonly #resolve: (response: Response) => void;
  readonly #world: ExchangeWorld;
  readonly #request: ExchangeRequest;
  #phase: Phase = { kind: "waiting" };
  #id: RequestId | null = null;
  #promise: Timer | null = null;

  constructor(world: ExchangeWorld, request: ExchangeRequest) {
    this.#world = world;
    this.#request = request;
    const { promise, resolve } = Promise.withResolvers<Response>();
    this.response = promise;
    this.#resolve = resolve;
    if (request.isStreaming && world.keepaliveMs > 0) {
      this.#promise = world.clock.startTimer(world.keepaliveAfterMs, () => this.#onWaitedLong());
    }
  }

  /** The hub's name for it; asked for its place in the queue. */
  set id(id: RequestId) {
    this.#id = id;
  }

  /** The client hung up. */
  onClientGone(): void {
    this.#stopPromise();
    if (this.#phase.kind === "over") return;
    this.#phase = { kind: "over" };
    if (this.#id !== null) this.#world.hub.leave(this.#id);
    // Nobody will see it, but whoever awaits the response must not wait for ever.
    this.#resolve(new Response(null, { status: 499 }));
  }

  onAnswer(head: AnswerHead, body: AnswerBody, route: AnswerRoute): void {
    this.#stopPromise();
    const isSse = isEventStream(head);
    switch (this.#phase.kind) {
      case "promised":
        if (isSse && head.status < 300) return this.#continueWith(this.#phase.stream, body);
        return this.#explainInBand(this.#phase.stream, body);
      case "waiting": {
        const isWhole = !isSse && (!this.#request.isStreaming || head.status >= 300);
        if (!isWhole) return this.#resolve(this.#streamed(head, body, route, isSse, []));
        this.#phase = { kind: "collecting" };
        return this.#collect(head, body, route);
      }
      case "collecting":
      case "streaming":
      case "over":
        return body.abandon();
    }
  }

  onRefused({ code, nearest }: Refusal): void {
    this.#stopPromise();
    const refusal = { code, nearest: nearest.filter((model) => this.#request.mayUse(model)) };
    const phase = this.#phase;
    if (phase.kind === "promised") return phase.stream.fail(refusal);
    if (phase.kind !== "waiting") return;
    this.#over();
    this.#resolve(this.#refusal(refusal));
  }

  // ---- whole answers ----

  #collect(head: AnswerHead, body: AnswerBody, route: AnswerRoute): void {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    const step = (): void => {
      for (const chunk of body.take()) {
        chunks.push(chunk);
        bytes += chunk.byteLength;
      }
      if (bytes > COLLECT_MAX_BYTES) return this.#resolve(this.#streamed(head, body, route, false, chunks));
      if (body.end === null) return body.whenReadable(step);
      if (this.#phase.kind !== "over") this.#over();
      if (body.end.kind === "failed") return this.#resolve(this.#refusal(body.end.refusal));
      this.#resolve(this.#whole(head, route, chunks, bytes));
    };
    step();
  }

  #whole(head: AnswerHead, route: AnswerRoute, chunks: readonly Uint8Array[], bytes: number): Response {
    const isEmpty = head.status === 204 || head.status === 205 || head.status === 304;
    const content = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes);
    return new Response(isEmpty ? null : content, { status: head.status, headers: this.#headers(head, route, false) });
  }

  // ---- streams ----

  #streamed(head: AnswerHead, body: AnswerBody, route: AnswerRoute, isSse: boolean, prefix: readonly Uint8Array[]): Response {
    if (this.#phase.kind !== "over") this.#phase = { kind: "streaming" };
    const stream = this.#newStream(isSse, prefix);
    stream.attach(body);
    return new Response(stream.readable, { status: head.status, headers: this.#headers(head, route, isSse) });
  }

  #newStream(isSse: boolean, prefix: readonly Uint8Array[]): AnswerStream {
    const { publicId, dialect, model } = this.#request;
    const { clock, keepaliveMs } = this.#world;
    return new AnswerStream(
      {
        clock,
        isSse,
        keepaliveMs,
        position: dialect === "responses" && isSse ? new StreamPositionReader() : null,
        comment: () => this.#comment(),
        errorEvent: (refusal, at) => errorEvent(dialect, problemOf(refusal), publicId, model, at),
        onOver: () => this.#over(),
      },
      prefix,
    );
  }

  #comment(): string {
    const position = this.#id === null ? null : this.#world.hub.position(this.#id);
    return position === null ? "keep-alive" : `queued, position ${position}`;
  }

  /** Nothing came for so long that something between here and the client might give up: send the status and a comment. */
  #onWaitedLong(): void {
    if (this.#phase.kind !== "waiting") return;
    const stream = this.#newStream(true, []);
    this.#phase = { kind: "promised", stream };
    stream.sendComment();
    const headers = headersToClient({ "content-type": "text/event-stream; charset=utf-8" }, true);
    headers.set("x-request-id", this.#request.publicId);
    this.#resolve(new Response(stream.readable, { status: 200, headers }));
  }

  #continueWith(stream: AnswerStream, body: AnswerBody): void {
    this.#phase = { kind: "streaming" };
    stream.attach(body);
  }

  /** The backend answered with an error, or with no stream, after the 200 was sent. */
  #explainInBand(stream: AnswerStream, body: AnswerBody): void {
    this.#phase = { kind: "streaming" };
    const chunks: Uint8Array[] = [];
    const step = (): void => {
      chunks.push(...body.take());
      const bytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
      if (body.end === null && bytes <= BACKEND_ERROR_MAX_BYTES) return body.whenReadable(step);
      body.abandon();
      // Nobody takes the rest: the worker is told to stop.
      if (body.end === null && this.#id !== null) this.#world.hub.fail(this.#id, "backend_error");
      const { dialect, publicId, model } = this.#request;
      const event = backendErrorEvent(dialect, Buffer.concat(chunks).toString("utf8"), publicId, model);
      if (event === null) stream.fail({ code: "backend_error", nearest: [] });
      else stream.failWith(event);
    };
    step();
  }

  // ---- common ----

  #headers(head: AnswerHead, route: AnswerRoute, isSse: boolean): Headers {
    const headers = headersToClient(head.headers, isSse);
    headers.set("x-request-id", this.#request.publicId);
    headers.set("x-modelrelay-worker", encodeURIComponent(route.workerName.toWellFormed()));
    headers.set("x-modelrelay-queue-ms", String(Math.round(route.queuedMs)));
    headers.set("x-modelrelay-attempts", String(route.tries));
    return headers;
  }

  #refusal(refusal: Refusal): Response {
    const { dialect, publicId } = this.#request;
    return refusalResponse(dialect, problemOf(refusal), publicId);
  }

  #stopPromise(): void {
    this.#promise?.stop();
    this.#promise = null;
  }

  #over(): void {
    this.#phase = { kind: "over" };
    this.#request.onOver();
  }
}

/** An error as a response of its own. */
export function refusalResponse(dialect: Dialect, problem: Problem, requestId: string): Response {
  const { status, retryAfterSecs: usualSecs } = refusalKind(problem.code);
  const retryAfterSecs = problem.retryAfterSecs ?? usualSecs;
  const headers = new Headers({ "content-type": "application/json", "x-request-id": requestId });
  if (retryAfterSecs !== undefined) headers.set("retry-after", String(retryAfterSecs));
  return new Response(errorBody(dialect, problem, requestId), { status, headers });
}

function problemOf(refusal: Refusal): Problem {
  const { code, nearest } = refusal;
  return { code, detail: nearest.length === 0 ? null : `Nearest on offer: ${nearest.join(", ")}.` };
}

function isEventStream(head: AnswerHead): boolean {
  return /^text\/event-stream\b/i.test(head.headers["content-type"] ?? "");
}
