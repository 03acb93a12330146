// A small strict HTTP/1.1 request reader for the fake backend: bytes in, whole requests out.

export interface ReceivedRequest {
  readonly method: string;
  /** As it stood in the request line, query included. */
  readonly path: string;
  /** Names in lower case; a name given twice is joined by ", ". */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

export function bodyText(request: ReceivedRequest): string {
  return new TextDecoder().decode(request.body);
}

interface Head {
  readonly method: string;
  readonly path: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly endsAt: number;
}

const LAST_CHUNK = "0\r\n\r\n";

/** Collects bytes and gives out each request that is complete. @throws when the bytes are no request */
export class RequestReader {
  readonly #onExpectContinue: () => void;
  readonly #pieces: Uint8Array[] = [];
  #length = 0;
  /** The request whose body is on its way: large bodies are not joined and searched again with every packet. */
  #awaited: { readonly isChunked: boolean; readonly length: number } | null = null;

  /** `onExpectContinue` is called when a client waits for leave to send its body. */
  constructor(onExpectContinue: () => void) {
    this.#onExpectContinue = onExpectContinue;
  }

  /** The next request, or null while it is not complete. */
  push(bytes: Uint8Array): ReceivedRequest | null {
    if (bytes.length > 0) this.#pieces.push(bytes.slice());
    this.#length += bytes.length;
    if (!this.#mayBeComplete()) return null;
    const all = Buffer.concat(this.#pieces);
    const head = parseHead(all);
    if (head === null) return null;
    const rest = all.subarray(head.endsAt);
    const isChunked = head.headers.get("transfer-encoding") === "chunked";
    const size = Number(head.headers.get("content-length") ?? 0);
    const body = isChunked ? parseChunks(rest) : parseSized(rest, size);
    if (body === null) {
      if (this.#awaited === null && head.headers.get("expect") === "100-continue") this.#onExpectContinue();
      this.#awaited = { isChunked, length: head.endsAt + size };
      return null;
    }
    const next = rest.subarray(body.endsAt);
    this.#pieces.splice(0, this.#pieces.length, next);
    this.#length = next.length;
    this.#awaited = null;
    return { method: head.method, path: head.path, headers: head.headers, body: body.bytes };
  }

  #mayBeComplete(): boolean {
    if (this.#awaited === null) return true;
    if (!this.#awaited.isChunked) return this.#length >= this.#awaited.length;
    return Buffer.concat(this.#pieces.slice(-LAST_CHUNK.length)).toString("latin1").endsWith(LAST_CHUNK);
  }
}

function parseHead(bytes: Uint8Array): Head | null {
  const endsAt = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf("\r\n\r\n");
  if (endsAt === -1) return null;
  const [requestLine = "", ...lines] = new TextDecoder("latin1").decode(bytes.subarray(0, endsAt)).split("\r\n");
  const parts = /^([A-Z]+) (\S+) HTTP\/1\.[01]$/.exec(requestLine);
  if (parts === null) throw new Error(`not a request line: ${requestLine}`);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const earlier = headers.get(name);
    headers.set(name, earlier === undefined ? value : `${earlier}, ${value}`);
  }
  return { method: parts[1]!, path: parts[2]!, headers, endsAt: endsAt + 4 };
}

interface Body {
  readonly bytes: Uint8Array;
  readonly endsAt: number;
}

function parseSized(bytes: Uint8Array, length: number): Body | null {
  return bytes.length < length ? null : { bytes: bytes.slice(0, length), endsAt: length };
}

function parseChunks(bytes: Uint8Array): Body | null {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const chunks: Uint8Array[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = buffer.indexOf("\r\n", at);
    if (lineEnd === -1) return null;
    const size = Number.parseInt(buffer.toString("latin1", at, lineEnd), 16);
    const from = lineEnd + 2;
    if (buffer.length < from + size + 2) return null;
    if (size === 0) return { bytes: Buffer.concat(chunks), endsAt: from + 2 };
    chunks.push(buffer.subarray(from, from + size));
    at = from + size + 2;
  }
}
