// A model backend that does what each request's script says and costs as little as possible: it shares the machine with the relay.
import type { Socket, TCPSocketListener } from "bun";
import { sharedNowMs } from "./clock.ts";
import { type Outlet, Pacer } from "./pacer.ts";
import { type BackendReport, MODEL, type Script } from "./script.ts";

export interface RunningBackend {
  readonly port: number;
  stop(): void;
}

/** On a free port of the loopback. */
export function startBackend(): RunningBackend {
  const backend = new Backend();
  const listener: TCPSocketListener<Connection> = Bun.listen<Connection>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => {
        socket.data = new Connection(socket, backend);
      },
      data: (socket, bytes) => socket.data.onData(bytes),
      drain: (socket) => socket.data.flush(),
      close: (socket) => socket.data.onClosed(),
      error: (socket) => socket.data.onClosed(),
    },
  });
  return { port: listener.port, stop: () => listener.stop(true) };
}

class Backend {
  readonly pacer = new Pacer();
  readonly #arrivals = new Map<string, number[]>();
  readonly #closed = new Map<string, number>();
  readonly #tries = new Map<string, number>();

  /** How often this id has arrived, this time included. */
  arrived(id: string): number {
    const before = this.#arrivals.get(id) ?? [];
    before.push(sharedNowMs());
    this.#arrivals.set(id, before);
    const tries = (this.#tries.get(id) ?? 0) + 1;
    this.#tries.set(id, tries);
    return tries;
  }

  closed(id: string): void {
    this.#closed.set(id, sharedNowMs());
  }

  /** What happened since the last report. */
  report(): BackendReport {
    const report: BackendReport = {
      arrivals: Object.fromEntries(this.#arrivals),
      closed: Object.fromEntries(this.#closed),
      lateness: this.pacer.takeLateness(),
    };
    this.#arrivals.clear();
    this.#closed.clear();
    return report;
  }
}

const HEAD_END = "\r\n\r\n";
const WHOLE = JSON.stringify({
  id: "chatcmpl-bench",
  object: "chat.completion",
  created: 0,
  model: MODEL,
  choices: [{ index: 0, message: { role: "assistant", content: "As you wish: ".padEnd(200, "so be it ") }, finish_reason: "stop" }],
});
const WHOLE_ANSWER = jsonAnswer(WHOLE);
const MODELS_ANSWER = jsonAnswer(JSON.stringify({ object: "list", data: [{ id: MODEL, object: "model" }] }));
const STREAM_HEAD = Buffer.from("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");

interface Asked {
  readonly stream?: boolean;
  readonly bench?: Script;
}

class Connection implements Outlet {
  readonly #socket: Socket<Connection>;
  readonly #backend: Backend;
  #received: Buffer | null = null;
  #unsent: Buffer | null = null;
  #isOpen = true;
  /** Of the request that is not answered in full. */
  #pendingId: string | null = null;

  constructor(socket: Socket<Connection>, backend: Backend) {
    this.#socket = socket;
    this.#backend = backend;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get isBlocked(): boolean {
    return this.#unsent !== null;
  }

  onData(bytes: Buffer): void {
    const all = this.#received === null ? bytes : Buffer.concat([this.#received, bytes]);
    const headEnd = all.indexOf(HEAD_END);
    const head = headEnd < 0 ? "" : all.toString("latin1", 0, headEnd);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    const bodyStart = headEnd + HEAD_END.length;
    if (headEnd < 0 || all.length < bodyStart + length) {
      this.#received = Buffer.from(all);
      return;
    }
    this.#received = null;
    this.#onRequest(head, all.toString("utf8", bodyStart, bodyStart + length));
  }

  write(bytes: Buffer): void {
    if (!this.#isOpen) return;
    if (this.#unsent !== null) {
      this.#unsent = Buffer.concat([this.#unsent, bytes]);
      return;
    }
    const written = Math.max(0, this.#socket.write(bytes));
    if (written < bytes.length) this.#unsent = Buffer.from(bytes.subarray(written));
  }

  flush(): void {
    const unsent = this.#unsent;
    this.#unsent = null;
    if (unsent !== null) this.write(unsent);
  }

  finished(): void {
    this.#pendingId = null;
  }

  onClosed(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    if (this.#pendingId !== null) this.#backend.closed(this.#pendingId);
  }

  #onRequest(head: string, body: string): void {
    if (head.startsWith("GET /bench/clock")) return this.write(textAnswer(String(sharedNowMs())));
    if (head.startsWith("GET /bench/report")) return this.write(jsonAnswer(JSON.stringify(this.#backend.report())));
    if (!head.startsWith("POST ")) return this.write(MODELS_ANSWER);
    const { stream, bench }: Asked = JSON.parse(body);
    const script = bench ?? {};
    const tries = script.id === undefined ? 1 : this.#backend.arrived(script.id);
    this.#pendingId = script.id ?? null;
    if (tries <= (script.holdFirst ?? 0)) return;
    if (stream === true) {
      this.write(STREAM_HEAD);
      return this.#backend.pacer.add(this, script);
    }
    this.finished();
    this.write(WHOLE_ANSWER);
  }
}

function jsonAnswer(body: string): Buffer {
  return answer("application/json", body);
}

function textAnswer(body: string): Buffer {
  return answer("text/plain", body);
}

function answer(type: string, body: string): Buffer {
  return Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}
