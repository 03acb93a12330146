// One client of the load generator: one connection, one request at a time, kept alive between them.
import type { Socket } from "bun";
import { HttpReader } from "./http-reader.ts";
import { sharedNowMs } from "./clock.ts";

/** What one request is told of its answer. Moments are those of the read that brought the bytes. It ends in onEnd or onFailed. */
export interface ExchangeObserver {
  onHead?(status: number, atMs: number): void;
  onBody?(bytes: Buffer, atMs: number): void;
  onEnd(status: number, atMs: number): void;
  /** `kind` is a short name to count failures by. */
  onFailed(kind: string): void;
}

export interface Endpoint {
  readonly hostname: string;
  readonly port: number;
  readonly isSecure: boolean;
}

export function endpointOf(url: URL): Endpoint {
  const isSecure = url.protocol === "https:";
  const port = url.port === "" ? (isSecure ? 443 : 80) : Number(url.port);
  return { hostname: url.hostname.replace(/^\[|\]$/g, ""), port, isSecure };
}

/** The bytes of a POST request with a JSON body, made once and sent many times. */
export function postBytes(url: URL, body: string, headers: Readonly<Record<string, string>> = {}): Buffer {
  const lines = Object.entries({
    host: url.host,
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    ...headers,
  });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return Buffer.from(`POST ${url.pathname}${url.search} HTTP/1.1\r\n${head}\r\n${body}`);
}

export class HttpClient {
  readonly #endpoint: Endpoint;
  readonly #reader: HttpReader;
  #socket: Socket | null = null;
  #observer: ExchangeObserver | null = null;
  #unsent: Buffer | null = null;
  #status = 0;
  #readAtMs = 0;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    this.#reader = new HttpReader({
      onHead: (status) => {
        this.#status = status;
        this.#observer?.onHead?.(status, this.#readAtMs);
      },
      onBody: (bytes) => this.#observer?.onBody?.(bytes, this.#readAtMs),
      onEnd: (isReusable) => this.#onAnswered(isReusable),
    });
  }

  /** Connects if it has to. The request before must be over. */
  async send(request: Buffer, observer: ExchangeObserver): Promise<void> {
    this.#observer = observer;
    try {
      this.#socket ??= await this.#connect();
    } catch {
      return this.#fail("connect");
    }
    this.#write(request);
  }

  /** Hangs up, as a client that lost interest does. Its observer hears nothing more. */
  hangUp(): void {
    this.#observer = null;
    this.#unsent = null;
    this.#socket?.terminate();
    this.#socket = null;
  }

  async #connect(): Promise<Socket> {
    const { hostname, port, isSecure } = this.#endpoint;
    return Bun.connect({
      hostname,
      port,
      tls: isSecure,
      socket: {
        data: (_socket, bytes) => this.#onData(bytes),
        drain: () => this.#onDrain(),
        close: (socket) => this.#onClosed(socket),
        error: () => this.#fail("broken"),
      },
    });
  }

  #write(bytes: Buffer): void {
    const written = this.#socket?.write(bytes) ?? 0;
    this.#unsent = written < bytes.length ? bytes.subarray(Math.max(0, written)) : null;
  }

  #onDrain(): void {
    if (this.#unsent !== null) this.#write(this.#unsent);
  }

  #onData(bytes: Buffer): void {
    this.#readAtMs = sharedNowMs();
    try {
      this.#reader.push(bytes);
    } catch {
      this.#fail("not http");
    }
  }

  #onAnswered(isReusable: boolean): void {
    const observer = this.#observer;
    this.#observer = null;
    if (!isReusable) this.hangUp();
    observer?.onEnd(this.#status, this.#readAtMs);
  }

  #onClosed(socket: Socket): void {
    if (this.#socket !== socket && this.#socket !== null) return;
    this.#socket = null;
    this.#readAtMs = sharedNowMs();
    if (this.#observer !== null && !this.#reader.onClosed()) this.#fail("closed");
  }

  #fail(kind: string): void {
    const observer = this.#observer;
    this.hangUp();
    observer?.onFailed(kind);
  }
}
