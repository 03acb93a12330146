// One request of a v2 relay from its first body frame to `response_end`, within the windows of both directions.
import { encodeBodyFrame } from "../protocol/frames.ts";
import { BODY_FRAME_MAX_BYTES } from "../protocol/limits.ts";
import type { V2Request } from "../protocol/v2.ts";
import { type BackendFailure, type Exchange, startExchange } from "./backend.ts";
import { inferenceUrl } from "./backend-address.ts";
import { protocolError } from "./connection.ts";
import type { Headers } from "./headers.ts";
import type { Job } from "./jobs.ts";
import { REQUEST_BODY_MAX_BYTES } from "./limits.ts";
import type { SessionContext } from "./session.ts";
import { UsageScanner } from "./usage.ts";

export class AttemptV2 implements Job {
  readonly #request: V2Request;
  readonly #context: SessionContext;
  readonly #onDone: () => void;
  readonly #usage = new UsageScanner();

  // The request's body on its way in.
  readonly #body: Uint8Array[] = [];
  #bodyBytes = 0;
  #uncreditedBytes = 0;

  // The answer on its way out.
  #exchange: Exchange | null = null;
  #credit: number;
  readonly #unsent: Uint8Array[] = [];
  #end: { readonly failure: BackendFailure | null } | null = null;
  #isOver = false;
  readonly #onUplinkClear = (): void => this.#sendWhatMay();

  /** `onDone` is called after `response_end`, not after an abort. */
  constructor(request: V2Request, context: SessionContext, onDone: () => void) {
    this.#request = request;
    this.#context = context;
    this.#onDone = onDone;
    this.#credit = context.windowBytes;
  }

  start(): void {
    if (this.#request.body_length > REQUEST_BODY_MAX_BYTES) this.#finish({ kind: "too_large", detail: "request body" });
    else if (this.#request.body_length === 0) this.#forward();
  }

  /** @throws PeerError when the relay sends more than it announced or has credit for */
  onBody(bytes: Uint8Array): void {
    if (this.#isOver) return;
    this.#bodyBytes += bytes.byteLength;
    this.#uncreditedBytes += bytes.byteLength;
    const isTooMuch = this.#bodyBytes > this.#request.body_length || this.#uncreditedBytes > this.#context.windowBytes;
    if (isTooMuch) throw protocolError();
    this.#body.push(bytes);
    if (this.#bodyBytes === this.#request.body_length && this.#exchange === null) return this.#forward();
    // Half a window at a time keeps the relay sending without a credit for every frame.
    if (this.#uncreditedBytes * 2 < this.#context.windowBytes) return;
    this.#context.connection.send({ type: "credit", attempt: this.#request.attempt, bytes: this.#uncreditedBytes });
    this.#uncreditedBytes = 0;
  }

  onCredit(bytes: number): void {
    this.#credit = Math.min(this.#context.windowBytes, this.#credit + bytes);
    this.#sendWhatMay();
  }

  onCancel(): void {
    const { request_id, model, attempt } = this.#request;
    this.#context.log.info("cancelled", { request_id, model, attempt });
  }

  abort(): void {
    this.#isOver = true;
    this.#exchange?.abort();
    this.#context.connection.cancelAwaitClear(this.#onUplinkClear);
    this.#unsent.length = 0;
    this.#body.length = 0;
  }

  #forward(): void {
    const { request_id, model, attempt, path, headers } = this.#request;
    const { backend, clock, log } = this.#context;
    const url = inferenceUrl(backend.url, path);
    if (url === null) return this.#finish({ kind: "broken", detail: "path not allowed" });
    const body = Buffer.concat(this.#body);
    this.#body.length = 0;
    log.info("forwarding request", { request_id, model, attempt, path: url.pathname, body_bytes: body.byteLength });
    const listener = {
      onStart: (statusCode: number, answered: Headers) => this.#onStart(statusCode, answered),
      onData: (bytes: Uint8Array) => this.#onData(bytes),
      onEnd: (failure: BackendFailure | null) => {
        this.#end = { failure };
        this.#sendWhatMay();
      },
    };
    this.#exchange = startExchange({ url, headers, apiKey: backend.apiKey, body }, listener, clock);
  }

  #onStart(statusCode: number, headers: Headers): void {
    this.#context.connection.send({ type: "response_start", attempt: this.#request.attempt, status_code: statusCode, headers });
  }

  #onData(bytes: Uint8Array): void {
    this.#usage.push(bytes);
    this.#unsent.push(bytes);
    this.#sendWhatMay();
  }

  /**
   * Sends as far as credit and uplink allow. The backend is read while nothing is left over, even at no credit: the end
   * of an answer that filled its window exactly must be seen, and one read too many is only 64 KiB.
   */
  #sendWhatMay(): void {
    if (this.#isOver) return;
    const { connection } = this.#context;
    for (let next = this.#unsent[0]; next !== undefined; next = this.#unsent[0]) {
      const length = Math.min(next.byteLength, this.#credit, BODY_FRAME_MAX_BYTES);
      if (length === 0 && next.byteLength > 0) return this.#exchange?.pause();
      if (connection.isCongested) {
        this.#exchange?.pause();
        return connection.awaitClear(this.#onUplinkClear);
      }
      connection.sendFrame(encodeBodyFrame("response", this.#request.attempt, next.subarray(0, length)));
      this.#credit -= length;
      if (length === next.byteLength) this.#unsent.shift();
      else this.#unsent[0] = next.subarray(length);
    }
    if (this.#end === null) this.#exchange?.resume();
    else this.#finish(this.#end.failure);
  }

  #finish(failure: BackendFailure | null): void {
    const { request_id, model, attempt } = this.#request;
    const { connection, log } = this.#context;
    if (failure !== null) log.warn("backend error", { request_id, model, attempt, kind: failure.kind, detail: failure.detail });
    const counts = this.#usage.counts();
    connection.send({
      type: "response_end",
      attempt,
      ...(counts === null ? {} : { token_counts: counts }),
      ...(failure === null ? {} : { error: { kind: failure.kind, message: failure.detail } }),
    });
    this.abort();
    this.#onDone();
  }
}
