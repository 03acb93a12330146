// A network between worker and relay that can go bad in the ways TCP does not tell of.
import { connect, createServer, type Server, type Socket } from "node:net";

interface Connection {
  /** The worker's side and the relay's. */
  readonly near: Socket;
  readonly far: Socket;
  isSwallowed: boolean;
}

export class Network implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: URL;
  readonly #connections = new Set<Connection>();

  constructor(server: Server, target: URL) {
    this.#server = server;
    this.#target = target;
    server.on("connection", (near) => this.#onConnection(near));
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  }

  /** From now on the connections that are there lose every byte both ways, and neither end hears of the other's. New ones work. */
  swallow(): void {
    for (const connection of this.#connections) connection.isSwallowed = true;
  }

  /** The worker's ends break (a router that forgot them); the relay's stay open and silent. */
  cutWorkers(): void {
    this.swallow();
    for (const { near } of this.#connections) near.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { near, far } of this.#connections) {
      near.destroy();
      far.destroy();
    }
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #onConnection(near: Socket): void {
    const far = connect(Number(this.#target.port), this.#target.hostname);
    const connection: Connection = { near, far, isSwallowed: false };
    this.#connections.add(connection);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.setNoDelay(true);
      // What is swallowed is read all the same: full socket buffers would tell.
      from.on("data", (bytes: Buffer) => connection.isSwallowed || to.write(bytes));
      from.on("error", () => {});
      from.on("close", () => connection.isSwallowed || to.destroy());
    }
  }
}

export async function startNetwork(target: { readonly url: string }): Promise<Network> {
  const server = createServer();
  const network = new Network(server, new URL(target.url));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return network;
}
