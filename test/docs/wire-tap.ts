// Sits between a worker and its relay, passes every frame on, and writes down what it saw as the protocol's document shows it.
import type { ServerWebSocket } from "bun";
import { VERSION } from "../../src/base/version.ts";
import { decodeBodyFrame } from "../../src/protocol/frames.ts";
import { until } from "../support/until.ts";

type Side = "relay" | "worker";

interface Seen {
  readonly from: Side;
  readonly text: string;
  /** What a note is found by: the message's type, `body` or `close`. */
  readonly type: string;
}

interface Line {
  upstream: WebSocket;
  /** Frames of the worker that came before the relay's socket was open. */
  early: (string | Uint8Array)[] | null;
}

const ARROWS: Readonly<Record<Side, string>> = { relay: ">", worker: "<" };
const WIDTH = 118;
const INDENT = "     ";

export class WireTap implements AsyncDisposable {
  readonly #seen: Seen[] = [];
  readonly #names = new Map<string, string>();
  readonly #server: Bun.Server<Line>;
  readonly #sockets = new Set<ServerWebSocket<Line>>();
  /** Whether the relay's pings and their pongs are written down. */
  #hasHeartbeat = false;

  constructor(relay: URL) {
    this.#server = Bun.serve<Line>({
      hostname: "127.0.0.1",
      port: 0,
      reusePort: false,
      fetch: (request, server) => {
        const { pathname, search } = new URL(request.url);
        const address = new URL(`${pathname}${search}`, relay);
        address.protocol = "ws:";
        const secret = request.headers.get("x-worker-secret");
        const headers: Record<string, string> = secret === null ? {} : { "x-worker-secret": secret };
        const line: Line = { upstream: new WebSocket(address.href, { headers }), early: [] };
        line.upstream.binaryType = "nodebuffer";
        return server.upgrade(request, { data: line }) ? undefined : new Response(null, { status: 400 });
      },
      websocket: {
        open: (socket) => this.#connect(socket),
        message: (socket, data) => {
          this.#note("worker", data);
          if (socket.data.early === null) socket.data.upstream.send(data);
          else socket.data.early.push(data);
        },
        close: (socket, code, reason) => {
          this.#sockets.delete(socket);
          const { upstream } = socket.data;
          if (upstream.readyState === WebSocket.CLOSED) return;
          this.#noteClose("worker", code, reason);
          upstream.close(code === 1006 ? 1000 : code, reason);
        },
      },
    });
  }

  get url(): URL {
    return this.#server.url;
  }

  /** From here on the pings count too. */
  watchHeartbeat(): void {
    this.#hasHeartbeat = true;
  }

  /** Resolves once so many messages of this type were seen. */
  async sees(type: string, count = 1): Promise<void> {
    await until(() => this.#seen.filter((seen) => seen.type === type).length >= count, `${count} x ${type} on the wire`);
  }

  /** Breaks every connection without a closing handshake. */
  cut(): void {
    for (const socket of this.#sockets) {
      socket.data.upstream.terminate();
      socket.terminate();
    }
  }

  /** Forgets what was seen: what comes next is what is to be shown. */
  begin(): void {
    this.#seen.length = 0;
  }

  /** The lines, those that repeat the one before left out; `notes` stand behind the first line of their type. */
  trace(notes: Readonly<Record<string, string>> = {}): string {
    const left = new Map(Object.entries(notes));
    const lines = this.#seen.filter(({ text, from }, index) => {
      const before = this.#seen[index - 1];
      return before === undefined || before.text !== text || before.from !== from;
    });
    const shown = lines.map(({ from, text, type }) => {
      const note = left.get(type);
      left.delete(type);
      return fold(`${ARROWS[from]}  ${text}`, note);
    });
    if (left.size > 0) throw new Error(`no line for the notes on ${[...left.keys()].join(", ")}:\n${shown.join("\n")}`);
    return shown.join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }

  #connect(socket: ServerWebSocket<Line>): void {
    this.#sockets.add(socket);
    const { upstream } = socket.data;
    upstream.addEventListener("open", () => {
      for (const data of socket.data.early ?? []) upstream.send(data);
      socket.data.early = null;
    });
    upstream.addEventListener("message", ({ data }: MessageEvent<string | Uint8Array>) => {
      this.#note("relay", data);
      socket.send(data);
    });
    upstream.addEventListener("close", ({ code, reason }) => {
      if (socket.readyState === WebSocket.OPEN) this.#noteClose("relay", code, reason);
      socket.close(code, reason);
    });
  }

  #note(from: Side, data: string | Uint8Array): void {
    if (typeof data !== "string") {
      const { kind, attempt } = decodeBodyFrame(data);
      this.#seen.push({ from, type: "body", text: `[${kind === "request" ? 1 : 2}, attempt ${attempt}, bytes]` });
      return;
    }
    const { type, ...fields }: { readonly type: string } & Readonly<Record<string, unknown>> = JSON.parse(data);
    if (!this.#hasHeartbeat && (type === "ping" || type === "pong") && !this.#isAfterCancel()) return;
    this.#seen.push({ from, type, text: `${type} ${JSON.stringify(fields, (key, value: unknown) => this.#settle(key, value))}` });
  }

  /** The ping behind a cancel belongs to it, and so does its pong. */
  #isAfterCancel(): boolean {
    const last = this.#seen.at(-1)?.type;
    return last === "cancel" || last === "ping";
  }

  #noteClose(from: Side, code: number, reason: string): void {
    this.#seen.push({ from, type: "close", text: `close ${code} ${reason}`.trim() });
  }

  /** What differs from run to run is shown as one that it could be. */
  #settle(key: string, value: unknown): unknown {
    if (key === "headers") return this.#settleHeaders(value);
    if (key === "instance_id") return "0b4e...";
    if (key === "version") return VERSION;
    if (key === "timestamp_unix_ms") return 1_795_369_130_000;
    if (key === "worker_id") return this.#name(String(value), "w1-87bd5cb8");
    if (key === "request_id")
      return this.#name(String(value), `${String(value).startsWith("req_") ? "req_572d" : "7"}-${this.#names.size + 1}`);
    if (key === "bytes" && typeof value === "number") return 131_072;
    return value;
  }

  #settleHeaders(value: unknown): unknown {
    const entries = Object.entries(value ?? {}).filter(([name]) => name === "content-type");
    return Object.fromEntries([...entries, ["...", "..."]]);
  }

  /** The same for the same each time, so that a reader can follow it. */
  #name(value: string, first: string): string {
    const known = this.#names.get(value) ?? first;
    this.#names.set(value, known);
    return known;
  }
}

/** A long line goes on below, behind an indent; a note stands at its end, or below when there is no room. */
function fold(line: string, note: string | undefined): string {
  const text = line.replaceAll('"...":"..."', "...");
  const lines: string[] = [];
  let rest = text;
  while (rest.length > WIDTH) {
    const at = Math.max(rest.lastIndexOf(",", WIDTH) + 1, 0) || WIDTH;
    lines.push(rest.slice(0, at));
    rest = `${INDENT}${rest.slice(at)}`;
  }
  lines.push(rest);
  if (note !== undefined) lines.push(`${INDENT}${" ".repeat(4)}(${note})`);
  return lines.join("\n");
}
