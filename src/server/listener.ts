// The listening socket. It can be replaced by one with a new certificate while connections of the old one go on.
import type { Server, WebSocketHandler } from "bun";
import type { SocketData } from "../link/wire.ts";
import type { TlsMaterial } from "./tls.ts";

export type RelayServer = Server<SocketData>;

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsMaterial | null;
  readonly maxBodyBytes: number;
  readonly websocket: WebSocketHandler<SocketData>;
  readonly fetch: (request: Request, server: RelayServer) => Response | undefined | Promise<Response | undefined>;
  readonly onError: (error: Error) => Response;
}

/** HTTP keep-alive, and the limit for a connection that is silent while it sends a request's head. Relayed ones then have their own. */
const IDLE_SECS = 75;

export class Listener {
  readonly #options: ListenerOptions;
  readonly port: number;
  /** The newest last. Older ones take no connections, but serve those they have. */
  #servers: RelayServer[];
  /** As the newest has it. */
  #tls: TlsMaterial | null;

  /** @throws the runtime's error (code EADDRINUSE, EACCES, ...) when it cannot listen */
  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#tls = options.tls;
    const first = this.#listen(options.port, options.tls);
    this.#servers = [first];
    this.port = first.port ?? options.port;
  }

  /** Requests whose answers are not out yet. */
  get pendingRequests(): number {
    return this.#servers.reduce((sum, server) => sum + server.pendingRequests, 0);
  }

  /**
   * New connections get the new certificate. The runtime cannot change it in place, so a new socket takes the port over.
   * @throws the runtime's error when it does not take the certificate; the old one stays then
   */
  replaceTls(tls: TlsMaterial): void {
    const old = this.#servers.at(-1)!;
    const gone = old.stop();
    void gone.then(() => (this.#servers = this.#servers.filter((server) => server !== old)));
    try {
      this.#servers.push(this.#listen(this.port, tls));
      this.#tls = tls;
    } catch (error) {
      this.#servers.push(this.#listen(this.port, this.#tls));
      throw error;
    }
  }

  /** Closes everything at once. */
  async stop(): Promise<void> {
    await Promise.all(this.#servers.map(async (server) => server.stop(true)));
  }

  #listen(port: number, tls: TlsMaterial | null): RelayServer {
    const { host, maxBodyBytes, websocket, fetch, onError } = this.#options;
    return Bun.serve<SocketData>({
      hostname: host,
      port,
      development: false,
      // Outside development the runtime would share the port with whoever else listens on it, without a word.
      reusePort: false,
      idleTimeout: IDLE_SECS,
      maxRequestBodySize: maxBodyBytes,
      websocket,
      fetch,
      error: onError,
      ...(tls === null ? {} : { tls: { ...tls } }),
    });
  }
}
