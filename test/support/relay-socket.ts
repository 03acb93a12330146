// The worker's end of a worker socket with no opinion of its own: it records what the relay does; v1-worker.ts and v2-worker.ts answer.
import { until, within } from "./until.ts";
import type { Message } from "./worker-socket.ts";

export interface RelaySocketTarget {
  readonly url: URL;
}

export interface RelaySocketScript {
  /** "test-secret" when not given; null: none is sent. */
  readonly secret?: string | null;
  /** Appended to the path, `?` included; `?provider=local` when not given. */
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The CA it trusts, where the relay has a certificate of one. */
  readonly tlsCa?: string;
}

export interface SocketEnd {
  readonly code: number;
  readonly reason: string;
}

export class RelaySocket {
  /** Control messages as they came, pings included. */
  readonly messages: Message[] = [];
  readonly frames: Uint8Array[] = [];
  readonly opened: Promise<void>;
  readonly closed: Promise<SocketEnd>;
  end: SocketEnd | null = null;
  onMessage: (message: Message) => void = () => {};
  onFrame: (frame: Uint8Array) => void = () => {};
  readonly #socket: WebSocket;

  constructor({ url }: RelaySocketTarget, script: RelaySocketScript = {}) {
    const address = new URL(`/v1/worker/connect${script.query ?? "?provider=local"}`, url);
    address.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const secret = script.secret === undefined ? "test-secret" : script.secret;
    const headers = { ...script.headers, ...(secret === null ? {} : { "X-Worker-Secret": secret }) };
    this.#socket = new WebSocket(address.href, { headers, ...(script.tlsCa === undefined ? {} : { tls: { ca: script.tlsCa } }) });
    const opened = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<SocketEnd>();
    this.opened = opened.promise;
    this.closed = closed.promise;
    this.#socket.addEventListener("open", () => opened.resolve());
    this.#socket.addEventListener("error", () => {});
    this.#socket.addEventListener("message", ({ data }) => this.#onData(data));
    this.#socket.addEventListener("close", ({ code, reason }) => {
      this.end = { code, reason };
      closed.resolve(this.end);
    });
  }

  of(type: string): readonly Message[] {
    return this.messages.filter((message) => message.type === type);
  }

  /** The n-th message of this type, once it has come. */
  async next(type: string, index = 0): Promise<Message> {
    await until(() => this.of(type).length > index, `the relay sends ${type} number ${index}`);
    return this.of(type)[index]!;
  }

  /** How the relay closed it. */
  async closedByRelay(): Promise<SocketEnd> {
    return await within(this.closed, "the relay closes the worker's socket");
  }

  send(message: object): void {
    this.#socket.send(JSON.stringify(message));
  }

  sendRaw(data: string | Uint8Array): void {
    this.#socket.send(data);
  }

  close(code = 1000, reason = ""): void {
    this.#socket.close(code, reason);
  }

  /** Breaks the connection without a closing handshake. */
  cut(): void {
    this.#socket.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.end !== null) return;
    this.#socket.terminate();
    await this.closed;
  }

  #onData(data: unknown): void {
    if (typeof data === "string") {
      const message: Message = JSON.parse(data);
      this.messages.push(message);
      this.onMessage(message);
    } else if (data instanceof Uint8Array) {
      const frame = Uint8Array.from(data);
      this.frames.push(frame);
      this.onFrame(frame);
    }
  }
}
