// One request of a v1 relay: its answer as text chunks, or whole, and always a `response_complete`.
import { UNARY_ANSWER_MAX_BYTES } from "../protocol/limits.ts";
import type { V1RelayMessage } from "../protocol/v1.ts";
import { type BackendFailure, type Exchange, startExchange } from "./backend.ts";
import { inferenceUrl } from "./backend-address.ts";
import { errorBody, errorEvent } from "./dialect.ts";
import type { Headers } from "./headers.ts";
import type { Job } from "./jobs.ts";
import { REQUEST_BODY_MAX_BYTES } from "./limits.ts";
import type { SessionContext } from "./session.ts";
import { UsageScanner } from "./usage.ts";

type V1Request = Extract<V1RelayMessage, { type: "request" }>;

/** What has come of the answer: whole answers are collected, streams go on as they come. */
type Answer =
  | { readonly how: "none" }
  | { readonly how: "whole"; readonly statusCode: number; readonly headers: Headers; readonly chunks: Uint8Array[]; bytes: number }
  | { readonly how: "stream"; readonly statusCode: number; readonly headers: Headers; readonly text: TextDecoder; lastChunk: string };

export class AttemptV1 implements Job {
  readonly #request: V1Request;
  readonly #context: SessionContext;
  readonly #onDone: () => void;
  readonly #usage = new UsageScanner();
  #exchange: Exchange | null = null;
  #answer: Answer = { how: "none" };
  readonly #onUplinkClear = (): void => this.#exchange?.resume();

  /** `onDone` is called after `response_complete`, not after an abort. */
  constructor(request: V1Request, context: SessionContext, onDone: () => void) {
    this.#request = request;
    this.#context = context;
    this.#onDone = onDone;
  }

  start(): void {
    const { request_id, model, endpoint_path, headers } = this.#request;
    const { backend, clock, log } = this.#context;
    const url = inferenceUrl(backend.url, endpoint_path);
    if (url === null) return this.#onEnd({ kind: "broken", detail: "path not allowed" });
    const body = Buffer.from(this.#request.body, "utf8");
    if (body.byteLength > REQUEST_BODY_MAX_BYTES) return this.#onEnd({ kind: "too_large", detail: "request body" });
    log.info("forwarding request", { request_id, model, path: url.pathname, body_bytes: body.byteLength });
    const listener = {
      onStart: (statusCode: number, answered: Headers) => this.#onStart(statusCode, answered),
      onData: (bytes: Uint8Array) => this.#onData(bytes),
      onEnd: (failure: BackendFailure | null) => this.#onEnd(failure),
    };
    this.#exchange = startExchange({ url, headers: headers ?? {}, apiKey: backend.apiKey, body }, listener, clock);
  }

  abort(): void {
    this.#exchange?.abort();
    this.#context.connection.cancelAwaitClear(this.#onUplinkClear);
  }

  #onStart(statusCode: number, headers: Headers): void {
    // v1 tells the status last; only an answer that is not streamed tells a client of a failed one at all.
    const isStream = this.#request.is_streaming && statusCode >= 200 && statusCode < 300;
    this.#answer = isStream
      ? { how: "stream", statusCode, headers, text: new TextDecoder("utf-8", { ignoreBOM: true }), lastChunk: "" }
      : { how: "whole", statusCode, headers, chunks: [], bytes: 0 };
  }

  #onData(bytes: Uint8Array): void {
    this.#usage.push(bytes);
    const answer = this.#answer;
    if (answer.how === "stream") {
      // Holds back the bytes of a character that the network cut in two.
      this.#sendChunk(answer.text.decode(bytes, { stream: true }));
    } else if (answer.how === "whole") {
      answer.chunks.push(bytes);
      answer.bytes += bytes.byteLength;
      if (answer.bytes <= UNARY_ANSWER_MAX_BYTES) return;
      this.abort();
      this.#onEnd({ kind: "too_large", detail: "answer" });
    }
  }

  #sendChunk(chunk: string): void {
    const { connection } = this.#context;
    if (chunk === "" || this.#answer.how !== "stream") return;
    this.#answer.lastChunk = chunk;
    connection.send({ type: "response_chunk", request_id: this.#request.request_id, chunk });
    // v1 has no credit: this is all that keeps a fast backend from filling our memory.
    if (!connection.isCongested) return;
    this.#exchange?.pause();
    connection.awaitClear(this.#onUplinkClear);
  }

  /** 1 all went well; 2 it failed and nothing was sent yet; 3 it failed with chunks on their way. */
  #onEnd(failure: BackendFailure | null): void {
    const { request_id, model, endpoint_path } = this.#request;
    const answer = this.#answer;
    if (answer.how === "stream") this.#sendChunk(answer.text.decode());
    if (failure !== null) {
      this.#context.log.warn("backend error", { request_id, model, kind: failure.kind, detail: failure.detail });
    }
    if (failure === null && answer.how !== "none") {
      const body = answer.how === "stream" ? "" : new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.concat(answer.chunks));
      this.#complete(answer.statusCode, answer.headers, body); // (1)
    } else if (answer.how === "stream" && answer.lastChunk !== "") {
      // An event of its own, after whatever half an event was sent.
      this.#sendChunk((answer.lastChunk.endsWith("\n\n") ? "" : "\n\n") + errorEvent(endpoint_path, "backend_error", request_id));
      this.#context.connection.send({ type: "error", request_id, code: "backend_error", message: "the backend broke off its answer" });
      this.#complete(answer.statusCode, answer.headers, ""); // (3)
    } else {
      this.#complete(502, { "content-type": "application/json" }, errorBody(endpoint_path, "backend_error")); // (2)
    }
  }

  #complete(statusCode: number, headers: Headers, body: string): void {
    const counts = this.#usage.counts();
    this.#context.connection.send({
      type: "response_complete",
      request_id: this.#request.request_id,
      status_code: statusCode,
      headers,
      body,
      ...(counts === null ? {} : { token_counts: counts }),
    });
    this.abort();
    this.#onDone();
  }
}
