// An HTTP client that is nothing but a socket: it sees how an answer really ended, and can stop reading.
import type { Socket } from "bun";
import { until } from "./until.ts";

export interface RawHead {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
}

/** A POST with a JSON body, as bytes for the wire. */
export function rawPost(path: string, body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}): Uint8Array {
  const bytes = Buffer.from(body);
  const lines = Object.entries({ host: "127.0.0.1", "content-length": String(bytes.byteLength), ...headers });
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.map(([k, v]) => `${k}: ${v}\r\n`).join("")}\r\n`), bytes]);
}

export class RawClient {
  isClosed = false;
  /** It ended with a RST, or with anything but an orderly FIN. */
  error: Error | null = null;
  #chunks: Uint8Array[] = [];
  #socket: Socket | null = null;
  #unsent: Uint8Array = new Uint8Array();

  /** Connects to the relay (or any server). */
  static async connect({ url }: { readonly url: URL }): Promise<RawClient> {
    const client = new RawClient();
    client.#socket = await Bun.connect({
      hostname: url.hostname,
      port: Number(url.port),
      socket: {
        data: (_socket, bytes) => void client.#chunks.push(Uint8Array.from(bytes)),
        drain: () => client.#flush(),
        end: () => void (client.isClosed = true),
        close: () => void (client.isClosed = true),
        error: (_socket, error) => void (client.error = error),
      },
    });
    return client;
  }

  send(data: string | Uint8Array): void {
    this.#unsent = Buffer.concat([this.#unsent, Buffer.from(data)]);
    this.#flush();
  }

  post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
    this.send(rawPost(path, typeof body === "string" ? body : JSON.stringify(body), headers));
  }

  /** Reads no more: what arrives fills the buffers on the way. */
  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  /** RST. */
  cut(): void {
    this.#socket?.terminate();
  }

  /** FIN. */
  close(): void {
    this.#socket?.end();
  }

  get received(): Buffer {
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }

  get text(): string {
    return this.received.toString("utf8");
  }

  /** Status line and headers, once they are there. */
  async head(): Promise<RawHead> {
    await until(() => this.received.includes("\r\n\r\n"), "the head of an answer");
    const [statusLine = "", ...lines] = this.received.toString("latin1").split("\r\n\r\n")[0]!.split("\r\n");
    const headers = lines.map(
      (line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()] as const,
    );
    return { status: Number(statusLine.split(" ")[1]), headers: new Map(headers) };
  }

  /** What came behind the head, as it stood on the wire. */
  get rawBody(): Buffer {
    const at = this.received.indexOf("\r\n\r\n");
    return at < 0 ? Buffer.alloc(0) : this.received.subarray(at + 4);
  }

  /** The body without its chunk sizes, and whether the last chunk was there. */
  get chunkedBody(): { readonly text: string; readonly isTerminated: boolean } {
    const raw = this.rawBody;
    const parts: Uint8Array[] = [];
    for (let at = 0; ;) {
      const lineEnd = raw.indexOf("\r\n", at);
      const size = lineEnd < 0 ? Number.NaN : Number.parseInt(raw.toString("latin1", at, lineEnd), 16);
      if (size === 0 || Number.isNaN(size)) return { text: Buffer.concat(parts).toString("utf8"), isTerminated: size === 0 };
      parts.push(raw.subarray(lineEnd + 2, lineEnd + 2 + size));
      at = lineEnd + 2 + size + 2;
    }
  }

  /** Resolves with the last chunk of a chunked answer. */
  async terminated(): Promise<void> {
    const isTerminated = (): boolean =>
      this.#chunks.length > 0 && Buffer.from(this.#chunks.at(-1)!).subarray(-5).toString() === "0\r\n\r\n";
    await until(() => isTerminated(), "the end of the answer");
  }

  async closed(): Promise<void> {
    await until(() => this.isClosed, "the relay closes the client's connection");
  }

  [Symbol.dispose](): void {
    this.#socket?.terminate();
  }

  #flush(): void {
    while (this.#unsent.byteLength > 0) {
      const written = this.#socket?.write(this.#unsent) ?? 0;
      if (written <= 0) return;
      this.#unsent = this.#unsent.subarray(written);
    }
  }
}
