// A network between two parties that a test can stall or cut: bytes wait in it, or are lost with it.
import { createServer, connect, type Socket } from "node:net";

export class StallablePipe {
  readonly #server;
  readonly #target: URL;
  /** Bytes of the clients that went through. */
  passedBytes = 0;
  readonly #pairs = new Set<readonly [client: Socket, target: Socket]>();

  constructor(server: ReturnType<typeof createServer>, target: URL) {
    this.#server = server;
    this.#target = target;
    server.on("connection", (client) => this.#onConnection(client));
  }

  get url(): URL {
    const address = this.#server.address();
    return new URL(`http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`);
  }

  /** Takes no more bytes from the clients; TCP tells them. */
  stall(): void {
    for (const [client] of this.#pairs) client.pause();
  }

  resume(): void {
    for (const [client] of this.#pairs) client.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const sockets of this.#pairs) for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #onConnection(client: Socket): void {
    const target = connect(Number(this.#target.port), this.#target.hostname);
    const pair = [client, target] as const;
    this.#pairs.add(pair);
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      from.on("data", (bytes: Buffer) => {
        if (from === client) this.passedBytes += bytes.byteLength;
        to.write(bytes);
      });
      from.on("error", () => {});
      from.on("close", () => {
        to.destroy();
        this.#pairs.delete(pair);
      });
    }
  }
}

export async function startStallablePipe(target: URL): Promise<StallablePipe> {
  const server = createServer();
  const pipe = new StallablePipe(server, target);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return pipe;
}
