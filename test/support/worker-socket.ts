// The relay's end of a worker socket with no opinion of its own: it records what the worker does; v1-relay.ts and v2-relay.ts answer.
import type { Server, ServerWebSocket } from "bun";
import { until } from "./until.ts";

/** A control message as it came; scripted relays check fields by hand, not by the product's own schemas. */
export type Message = Readonly<Record<string, unknown>> & { readonly type: string };

interface SocketData {
  readonly peer: WorkerSocket;
}

export class WorkerSocket {
  readonly url: URL;
  readonly headers: Headers;
  readonly messages: Message[] = [];
  readonly frames: Uint8Array[] = [];
  closed: { readonly code: number; readonly reason: string } | null = null;
  socket: ServerWebSocket<SocketData> | null = null;

  constructor(request: Request) {
    this.url = new URL(request.url);
    this.headers = request.headers;
  }

  of(type: string): readonly Message[] {
    return this.messages.filter((message) => message.type === type);
  }

  /** The n-th message of this type, once it has come. */
  async next(type: string, index = 0): Promise<Message> {
    await until(() => this.of(type).length > index, `message ${type} number ${index}`);
    return this.of(type)[index]!;
  }

  send(message: object): void {
    this.socket?.send(JSON.stringify(message));
  }

  sendRaw(data: string | Uint8Array): void {
    this.socket?.send(data);
  }

  close(code: number, reason: string): void {
    this.socket?.close(code, reason);
  }

  /** Breaks the connection without a closing handshake. */
  cut(): void {
    this.socket?.terminate();
  }
}

export interface SocketScript {
  readonly onOpen?: (peer: WorkerSocket) => void;
  readonly onMessage?: (peer: WorkerSocket, message: Message) => void;
  readonly onFrame?: (peer: WorkerSocket, frame: Uint8Array) => void;
  /** Answers instead of the upgrade. */
  readonly refuseUpgrade?: () => Response | null;
  readonly port?: number;
}

export class WorkerSocketServer {
  /** Every connection that ever was, in order. */
  readonly peers: WorkerSocket[] = [];
  readonly #server: Server<SocketData>;

  constructor(script: SocketScript) {
    this.#server = Bun.serve<SocketData>({
      port: script.port ?? 0,
      hostname: "127.0.0.1",
      development: false,
      fetch: (request, server) => {
        const refusal = script.refuseUpgrade?.() ?? null;
        if (refusal !== null) return refusal;
        const peer = new WorkerSocket(request);
        return server.upgrade(request, { data: { peer } }) ? undefined : new Response("upgrade expected", { status: 426 });
      },
      websocket: {
        maxPayloadLength: 160 * 1024 * 1024,
        open: (socket) => {
          const { peer } = socket.data;
          peer.socket = socket;
          this.peers.push(peer);
          script.onOpen?.(peer);
        },
        message: (socket, data) => {
          const { peer } = socket.data;
          if (typeof data === "string") {
            const message: Message = JSON.parse(data);
            peer.messages.push(message);
            script.onMessage?.(peer, message);
          } else {
            const frame = Uint8Array.from(data);
            peer.frames.push(frame);
            script.onFrame?.(peer, frame);
          }
        },
        close: (socket, code, reason) => {
          socket.data.peer.closed = { code, reason };
        },
      },
    });
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${this.#server.port}`);
  }

  /** The n-th connection, once it has registered. */
  async peer(index = 0): Promise<WorkerSocket> {
    await until(() => (this.peers[index]?.of("register").length ?? 0) > 0, `registration of connection ${index}`);
    return this.peers[index]!;
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
