// One request at the fake backend and everything a test can do to answer it, or to see what became of it.
import { bodyText, type ReceivedRequest } from "./fake-backend-request.ts";
import { slices, type Slicing, toBytes } from "./fake-backend-slicing.ts";
import { type Wire } from "./fake-backend-wire.ts";

/** What a backend does with a request. The answer is over when it returns. */
export type Answer = (exchange: Exchange) => Promise<unknown>;

export type HeaderList = Readonly<Record<string, string>>;

export class Exchange {
  readonly request: ReceivedRequest;
  readonly #wire: Wire;
  readonly #acceptedBefore: number;

  constructor(request: ReceivedRequest, wire: Wire) {
    this.request = request;
    this.#wire = wire;
    this.#acceptedBefore = wire.bytesAccepted;
  }

  /** Resolves when the other side hung up: what a cancel has to lead to. Never for a connection this side closed. */
  get closedByPeer(): Promise<void> {
    return this.#wire.closedByPeer;
  }

  get isClosedByPeer(): boolean {
    return this.#wire.end === "peer";
  }

  /** Bytes of this answer the kernel took: read by the other side, or in the socket buffers between. */
  get bytesAccepted(): number {
    return this.#wire.bytesAccepted - this.#acceptedBefore;
  }

  /** Bytes wait here because the other side stopped reading. */
  get isStalled(): boolean {
    return this.#wire.isStalled;
  }

  get text(): string {
    return bodyText(this.request);
  }

  /** The body as JSON. @throws when it is none */
  json(): unknown {
    return JSON.parse(this.text);
  }

  /** Exactly these bytes. Resolves when they are taken; with false when the connection ended first. */
  async raw(data: string | Uint8Array, slicing: Slicing = "whole"): Promise<boolean> {
    return await this.#wire.write(toBytes(data), slicing);
  }

  /** Status line and headers, nothing added. */
  async head(status: number, headers: HeaderList = {}): Promise<boolean> {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return await this.raw(`HTTP/1.1 ${status} ${REASONS.get(status) ?? "Whatever"}\r\n${lines.join("")}\r\n`);
  }

  /** A whole answer with its length. */
  async unary(status: number, body: string | Uint8Array, headers: HeaderList = {}): Promise<boolean> {
    const bytes = toBytes(body);
    await this.head(status, { "content-type": "application/json", ...headers, "content-length": String(bytes.length) });
    return await this.raw(bytes);
  }

  /** Begins a chunked answer of server-sent events. */
  async stream(status = 200, headers: HeaderList = {}): Promise<FakeStream> {
    await this.head(status, { "content-type": "text/event-stream", ...headers, "transfer-encoding": "chunked" });
    return new FakeStream(this);
  }

  /** FIN. */
  async close(): Promise<void> {
    await this.#wire.close();
  }

  /** RST. */
  reset(): void {
    this.#wire.reset();
  }
}

const REASONS: ReadonlyMap<number, string> = new Map([
  [200, "OK"],
  [204, "No Content"],
  [302, "Found"],
  [400, "Bad Request"],
  [429, "Too Many Requests"],
  [500, "Internal Server Error"],
]);

/** A chunked answer under way. */
export class FakeStream {
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** Each slice as a chunk of its own. False when the other side hung up. */
  async send(data: string | Uint8Array, slicing: Slicing = "whole"): Promise<boolean> {
    let isOpen = true;
    for (const slice of slices(toBytes(data), slicing)) {
      const chunk = Buffer.concat([toBytes(`${slice.length.toString(16)}\r\n`), slice, toBytes("\r\n")]);
      // A slicing of the chunk's own length makes it one packet.
      isOpen = await this.#exchange.raw(chunk, slicing === "whole" ? "whole" : chunk.length);
      if (!isOpen) break;
    }
    return isOpen;
  }

  /** The orderly end: the last chunk. The connection stays. */
  async end(): Promise<boolean> {
    return await this.#exchange.raw("0\r\n\r\n");
  }
}
