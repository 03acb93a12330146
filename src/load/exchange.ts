// One request and its answer: sends it, watches the answer come in, and judges whether it was one.
import type { Clock, Timer } from "../base/clock.ts";
import { type Api, complaintOf, fieldsOf, tokensOf } from "./apis.ts";
import { EventReader } from "./event-reader.ts";
import type { ExchangeObserver } from "./http-client.ts";
import { headerOf } from "./http-reader.ts";

/** A request ready to be sent. */
export interface Asked {
  readonly bytes: Buffer;
  readonly isStreaming: boolean;
}

/** What carries requests: `HttpClient`, or a stand-in. */
export interface Carrier {
  send(request: Buffer, observer: ExchangeObserver): unknown;
  hangUp(): void;
}

export interface Failure {
  /**
   * 1. `connect CODE`, `tls CODE`     no connection, with the system's or the TLS library's code
   * 2. `closed`, `not_http`           no answer, or none in HTTP
   * 3. `timeout`                      the answer was not complete in time
   * 4. `429 queue_full`, `502`        a status other than 2xx, with the code of its body when there is one
   * 5. `broken_answer`, `broken_stream`  the connection ended in the middle
   * 6. `no_end_event`                 a stream ended in order, but without the event that says it is complete
   * 7. `error_event CODE`             a stream said that it failed
   * 8. `not_a_stream`, `not_json`, `event_too_large`  a 2xx that is not what was asked for
   */
  readonly kind: string;
  /** What the server said of it. Text of others. */
  readonly message: string | null;
}

export interface Outcome {
  /** Null: it went well. */
  readonly failure: Failure | null;
  readonly sentMs: number;
  /** Of the body. */
  readonly firstByteMs: number | null;
  /** The first event of a stream that is a piece of the answer. */
  readonly firstChunkMs: number | null;
  readonly endedMs: number;
  /** As the answer counts them. */
  readonly tokens: number | null;
  /** Who answered, as a relay says. Text of others. */
  readonly worker: string | null;
  readonly queuedMs: number | null;
}

export interface ExchangeTerms {
  readonly api: Api;
  readonly clock: Clock;
  /** For the complete answer; null: for ever. */
  readonly timeoutMs: number | null;
  /** Told of each chunk of a stream, with the pause before it; null: it is the first. */
  readonly onChunk: (gapMs: number | null) => void;
}

/** Enough for any answer in words. Of a larger one the rest is counted, not kept, and not judged. */
const BODY_KEPT_BYTES = 256 * 1024;

export interface RunningExchange {
  /** Hangs up; nothing more is said of it. */
  stop(): void;
}

/** Sends the request; `onOver` is called once, unless it is stopped before. */
export function startExchange(carrier: Carrier, asked: Asked, terms: ExchangeTerms, onOver: (outcome: Outcome) => void): RunningExchange {
  const exchange = new Exchange(carrier, asked, terms, onOver);
  void carrier.send(asked.bytes, exchange);
  return exchange;
}

class Exchange implements ExchangeObserver, RunningExchange {
  readonly #carrier: Carrier;
  readonly #terms: ExchangeTerms;
  readonly #isStreaming: boolean;
  readonly #onOver: (outcome: Outcome) => void;
  readonly #timer: Timer | null;
  readonly #sentMs: number;
  #head: string | null = null;
  #events: EventReader | null = null;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #isTooLarge = false;
  #readMs = 0;
  #firstByteMs: number | null = null;
  #firstChunkMs: number | null = null;
  #lastChunkMs = 0;
  #tokens: number | null = null;
  #hasEnded = false;
  #failure: Failure | null = null;

  constructor(carrier: Carrier, asked: Asked, terms: ExchangeTerms, onOver: (outcome: Outcome) => void) {
    this.#carrier = carrier;
    this.#terms = terms;
    this.#isStreaming = asked.isStreaming;
    this.#onOver = onOver;
    this.#sentMs = terms.clock.nowMs();
    const onTimeout = (): void => {
      this.stop();
      this.#over({ kind: "timeout", message: null }, terms.clock.nowMs());
    };
    this.#timer = terms.timeoutMs === null ? null : terms.clock.startTimer(terms.timeoutMs, onTimeout);
  }

  stop(): void {
    this.#timer?.stop();
    this.#carrier.hangUp();
  }

  onHead(status: number, head: string): void {
    this.#head = head;
    if (!this.#isStreaming || !isGood(status)) return;
    if (!/^text\/event-stream\b/i.test(headerOf(head, "content-type") ?? "")) return;
    this.#events = new EventReader((name, data) => this.#onEvent(name, data));
  }

  onBody(bytes: Buffer, atMs: number): void {
    this.#firstByteMs ??= atMs;
    this.#readMs = atMs;
    if (this.#events !== null) this.#read(this.#events, bytes);
    else if (!this.#isTooLarge) this.#keep(bytes);
  }

  /** 1. refused  2. streamed  3. whole where a stream was asked for  4. whole */
  onEnd(status: number, atMs: number): void {
    if (!isGood(status)) return this.#over(refusalOf(status, this.#body()), atMs); // (1)
    if (this.#events !== null) return this.#over(this.#failure ?? (this.#hasEnded ? null : NO_END), atMs); // (2)
    if (this.#isStreaming) return this.#over(NOT_A_STREAM, atMs); // (3)
    this.#over(this.#isTooLarge ? null : this.#judgeWhole(this.#body()), atMs); // (4)
  }

  onFailed(kind: string, atMs: number): void {
    const isMidway = kind === "closed" && this.#head !== null;
    const broken = this.#events === null ? "broken_answer" : "broken_stream";
    this.#over(this.#failure ?? { kind: isMidway ? broken : kind, message: null }, atMs);
  }

  #read(events: EventReader, bytes: Buffer): void {
    try {
      events.push(bytes);
    } catch {
      this.stop();
      this.#over({ kind: "event_too_large", message: null }, this.#readMs);
    }
  }

  #keep(bytes: Buffer): void {
    this.#keptBytes += bytes.length;
    this.#isTooLarge = this.#keptBytes > BODY_KEPT_BYTES;
    if (this.#isTooLarge) this.#kept = [];
    else this.#kept.push(Buffer.from(bytes));
  }

  #body(): string {
    const [only] = this.#kept;
    return this.#kept.length === 1 ? only!.toString() : Buffer.concat(this.#kept).toString();
  }

  #onEvent(name: string, data: Buffer): void {
    if (this.#hasEnded || this.#failure !== null) return;
    const meaning = this.#terms.api.meaningOf(name, data);
    if (meaning.kind === "error") {
      this.#failure = { kind: withCode("error_event", meaning.code), message: meaning.message };
      return;
    }
    this.#tokens = meaning.tokens ?? this.#tokens;
    if (meaning.kind === "end") this.#hasEnded = true;
    else if (meaning.kind === "chunk") this.#onChunk();
  }

  #onChunk(): void {
    this.#terms.onChunk(this.#firstChunkMs === null ? null : this.#readMs - this.#lastChunkMs);
    this.#firstChunkMs ??= this.#readMs;
    this.#lastChunkMs = this.#readMs;
  }

  #judgeWhole(body: string): Failure | null {
    let answer: unknown;
    try {
      answer = JSON.parse(body);
    } catch {
      return { kind: "not_json", message: null };
    }
    const fields = fieldsOf(answer);
    if (fields["error"] !== undefined && fields["error"] !== null) {
      const { code, message } = complaintOf(fields);
      return { kind: withCode("200", code), message };
    }
    this.#tokens = tokensOf(fields);
    return null;
  }

  #over(failure: Failure | null, atMs: number): void {
    this.#timer?.stop();
    const [head, lower] = [this.#head ?? "", this.#head?.toLowerCase() ?? ""];
    const queued = headerOf(head, "x-modelrelay-queue-ms", lower);
    this.#onOver({
      failure,
      sentMs: this.#sentMs,
      firstByteMs: this.#firstByteMs,
      firstChunkMs: this.#firstChunkMs,
      endedMs: atMs,
      tokens: this.#tokens,
      worker: headerOf(head, "x-modelrelay-worker", lower),
      queuedMs: queued !== null && /^\d{1,12}$/.test(queued) ? Number(queued) : null,
    });
  }
}

const NO_END: Failure = { kind: "no_end_event", message: null };
const NOT_A_STREAM: Failure = { kind: "not_a_stream", message: null };

function isGood(status: number): boolean {
  return status >= 200 && status < 300;
}

function refusalOf(status: number, body: string): Failure {
  try {
    const { code, message } = complaintOf(fieldsOf(JSON.parse(body)));
    return { kind: withCode(String(status), code), message };
  } catch {
    return { kind: String(status), message: null };
  }
}

/** The code is text of others: of one that is not a short word, nothing is said. */
function withCode(kind: string, code: string | null): string {
  return code !== null && code !== kind && /^[\w.-]{1,64}$/.test(code) ? `${kind} ${code}` : kind;
}
