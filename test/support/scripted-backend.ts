// A model server on raw sockets, whose every byte the test decides: what HTTP libraries refuse to send, it sends.
import { createServer, type Socket } from "node:net";
import { until } from "./until.ts";

/** One request that arrived, and the connection it came on. */
export class BackendCall {
  readonly method: string;
  readonly path: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  readonly socket: Socket;

  constructor(head: string, body: Buffer, socket: Socket) {
    const [requestLine = "", ...lines] = head.split("\r\n");
    const [method = "", path = ""] = requestLine.split(" ");
    this.method = method;
    this.path = path;
    this.headers = new Map(lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]));
    this.body = body;
    this.socket = socket;
  }

  /** Status line and headers, then whatever `write` adds. */
  head(status: number, ...headers: readonly string[]): this {
    return this.write([`HTTP/1.1 ${status} Scripted`, ...headers, "", ""].join("\r\n"));
  }

  write(bytes: string | Uint8Array): this {
    this.socket.write(bytes);
    return this;
  }

  /** One chunk of a chunked body. */
  chunk(bytes: string | Uint8Array): this {
    this.write(`${Buffer.byteLength(bytes).toString(16)}\r\n`);
    return this.write(bytes).write("\r\n");
  }

  endChunks(): void {
    this.socket.end("0\r\n\r\n");
  }

  /** A whole answer. */
  json(status: number, value: unknown, ...headers: readonly string[]): void {
    const body = JSON.stringify(value);
    this.head(status, "content-type: application/json", `content-length: ${Buffer.byteLength(body)}`, ...headers);
    this.socket.end(body);
  }

  /** The head of a chunked event stream. */
  sse(): this {
    return this.head(200, "content-type: text/event-stream", "transfer-encoding: chunked");
  }

  hangUp(): void {
    this.socket.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  get isClosed(): boolean {
    return this.socket.destroyed;
  }
}

export class ScriptedBackend {
  readonly url: URL;
  /** Everything but model lists, in order of arrival. */
  readonly calls: BackendCall[] = [];
  /** Connections that are open now. */
  readonly sockets = new Set<Socket>();
  /** Questions for a model list so far. */
  listings = 0;
  readonly #server;

  constructor(server: ReturnType<typeof createServer>, port: number) {
    this.#server = server;
    this.url = new URL(`http://127.0.0.1:${port}`);
  }

  /** The n-th request, once it has arrived whole. */
  async call(index = 0): Promise<BackendCall> {
    await until(() => this.calls.length > index, `request ${index} at the backend`);
    return this.calls[index]!;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

export interface BackendScript {
  /** Answers requests as they arrive; without it the test answers through `call()`. */
  readonly onCall?: (call: BackendCall) => void;
  /** Answers `GET /v1/models` and `/api/tags`; without it both are 404. */
  readonly onListing?: (call: BackendCall) => void;
  /** Listens here instead of on a free port. */
  readonly port?: number;
}

export async function startScriptedBackend(script: BackendScript = {}): Promise<ScriptedBackend> {
  let backend: ScriptedBackend | null = null;
  const server = createServer((socket) => {
    backend?.sockets.add(socket);
    socket.on("close", () => backend?.sockets.delete(socket));
    // Resets are part of the script.
    socket.on("error", () => {});
    let received = Buffer.alloc(0);
    socket.on("data", (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      const headEnd = received.indexOf("\r\n\r\n");
      if (headEnd < 0) return;
      const head = received.toString("latin1", 0, headEnd);
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
      const body = received.subarray(headEnd + 4);
      if (body.byteLength < length) return;
      received = Buffer.alloc(0);
      onCall(new BackendCall(head, body, socket));
    });
  });
  const onCall = (call: BackendCall): void => {
    if (call.method === "GET") {
      backend!.listings++;
      if (script.onListing === undefined) call.json(404, {});
      else script.onListing(call);
      return;
    }
    backend!.calls.push(call);
    script.onCall?.(call);
  };
  await new Promise<void>((resolve) => server.listen(script.port ?? 0, "127.0.0.1", resolve));
  const address = server.address();
  backend = new ScriptedBackend(server, typeof address === "object" && address !== null ? address.port : 0);
  return backend;
}
