// One client of the load generator: one connection, one request at a time, kept alive between them.
import type { Socket } from "bun";
import type { Endpoint } from "./endpoint.ts";
import { HttpReader } from "./http-reader.ts";

/** What one request is told of its answer. Moments are those of the read that brought the bytes. It ends in onEnd or onFailed. */
export interface ExchangeObserver {
  /** `head` is the status line and the headers, as they came. */
  onHead?(status: number, head: string, atMs: number): void;
  /** A view that is only good during the call. */
  onBody?(bytes: Buffer, atMs: number): void;
  onEnd(status: number, atMs: number): void;
  /** `kind` is a short name to count failures by: `connect CODE`, `tls CODE`, `closed`, `not_http`. */
  onFailed(kind: string, atMs: number): void;
}

/** Servers close connections that were idle for 5 s or longer; a request sent at that very moment would fail for nothing. */
const IDLE_MAX_MS = 3_000;

export class HttpClient {
  readonly #endpoint: Endpoint;
  readonly #nowMs: () => number;
  #socket: Socket | null = null;
  #reader: HttpReader | null = null;
  #observer: ExchangeObserver | null = null;
  #unsent: Buffer | null = null;
  #status = 0;
  #readAtMs = 0;
  #idleSinceMs = 0;
  #isReady = false;
  /** Counts how often the connection was given up, so that one that comes too late is not taken. */
  #drops = 0;

  constructor(endpoint: Endpoint, nowMs: () => number) {
    this.#endpoint = endpoint;
    this.#nowMs = nowMs;
  }

  /** Connects without sending anything. Resolves to null, or to the kind of failure. */
  async connect(): Promise<string | null> {
    const drops = this.#drops;
    try {
      await this.#open();
    } catch (error) {
      if (drops === this.#drops) this.#drop();
      return error instanceof TlsFailure ? `tls ${error.code}` : `connect ${codeOf(error)}`;
    }
    this.#idleSinceMs = this.#nowMs();
    return null;
  }

  /** Connects if it has to. The request before must be over. */
  async send(request: Buffer, observer: ExchangeObserver): Promise<void> {
    if (this.#socket !== null && this.#nowMs() - this.#idleSinceMs > IDLE_MAX_MS) this.#drop();
    this.#observer = observer;
    if (this.#socket === null) {
      const failure = await this.connect();
      // Whoever hung up meanwhile waits for nothing more.
      if (this.#observer !== observer) return;
      if (failure !== null) return this.#fail(failure);
    }
    this.#write(request);
  }

  /** Hangs up, as a client that lost interest does. Its observer hears nothing more. */
  hangUp(): void {
    this.#observer = null;
    this.#drop();
  }

  #drop(): void {
    const socket = this.#socket;
    this.#drops++;
    this.#unsent = null;
    this.#socket = null;
    this.#reader = null;
    this.#isReady = false;
    socket?.terminate();
  }

  /** Resolves when the connection can be written to: over TLS, once the server's certificate is found good. */
  async #open(): Promise<void> {
    const { hostname, port, tls } = this.#endpoint;
    const drops = this.#drops;
    const ready = Promise.withResolvers<void>();
    // It may fail before anybody waits for it.
    ready.promise.catch(() => {});
    const onReady = (): void => {
      this.#isReady = drops === this.#drops;
      ready.resolve();
    };
    const onGone = (socket: Socket): void => {
      ready.reject(new TlsFailure("CLOSED"));
      this.#onClosed(socket);
    };
    const socket = await Bun.connect({
      hostname,
      port,
      ...(tls === null ? {} : { tls: { rejectUnauthorized: true, ...(tls.ca === null ? {} : { ca: tls.ca }) } }),
      socket: {
        open: (opened) => {
          if (drops !== this.#drops) return;
          this.#adopt(opened);
          if (tls === null) onReady();
        },
        handshake: (_socket, isGood, error) => (isGood ? onReady() : ready.reject(new TlsFailure(codeOf(error)))),
        data: (from, bytes) => this.#onData(from, bytes),
        drain: (from) => this.#onDrain(from),
        close: onGone,
        error: onGone,
      },
    });
    if (drops !== this.#drops) socket.terminate();
    else await ready.promise;
  }

  #adopt(socket: Socket): void {
    this.#socket = socket;
    const reader: HttpReader = new HttpReader({
      onHead: (status, head) => {
        this.#status = status;
        if (reader === this.#reader) this.#observer?.onHead?.(status, head, this.#readAtMs);
      },
      onBody: (bytes) => reader === this.#reader && this.#observer?.onBody?.(bytes, this.#readAtMs),
      onEnd: (isReusable) => reader === this.#reader && this.#onAnswered(isReusable),
    });
    this.#reader = reader;
  }

  #write(bytes: Buffer): void {
    const written = this.#socket?.write(bytes) ?? 0;
    this.#unsent = written < bytes.length ? bytes.subarray(Math.max(0, written)) : null;
  }

  #onDrain(socket: Socket): void {
    if (this.#unsent !== null && socket === this.#socket) this.#write(this.#unsent);
  }

  #onData(socket: Socket, bytes: Buffer): void {
    if (socket !== this.#socket) return;
    // Nobody asked: whatever this is, no answer may begin with it.
    if (this.#observer === null) return this.#drop();
    this.#readAtMs = this.#nowMs();
    try {
      this.#reader?.push(bytes);
    } catch {
      if (socket === this.#socket) this.#fail("not_http");
    }
  }

  #onAnswered(isReusable: boolean): void {
    const observer = this.#observer;
    this.#observer = null;
    this.#idleSinceMs = this.#readAtMs;
    // An answer that came before its request was sent leaves half a request on the connection.
    if (!isReusable || this.#unsent !== null) this.#drop();
    observer?.onEnd(this.#status, this.#readAtMs);
  }

  #onClosed(socket: Socket): void {
    if (socket !== this.#socket) return;
    this.#readAtMs = this.#nowMs();
    const wasReady = this.#isReady;
    const isAnswered = wasReady && this.#observer !== null && this.#reader?.onClosed() === true;
    if (isAnswered) return;
    // One that never was ready fails where it is waited for.
    if (wasReady && this.#observer !== null) this.#fail("closed");
    else this.#drop();
  }

  #fail(kind: string): void {
    const observer = this.#observer;
    this.hangUp();
    observer?.onFailed(kind, this.#nowMs());
  }
}

class TlsFailure extends Error {
  readonly code: string;

  constructor(code: string) {
    super(`TLS: ${code}`);
    this.code = code;
  }
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return /^[A-Z0-9_]{1,64}$/.test(code) ? code : "FAILED";
}
