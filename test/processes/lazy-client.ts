// A client that reads only as much as it is told to, on a socket of its own.
import { connect, type Socket } from "node:net";
import { until } from "../support/until.ts";
import { PATIENCE_MS } from "./child.ts";
import { MODEL, type Relay } from "./rig.ts";

export class LazyClient implements Disposable {
  receivedBytes = 0;
  readonly #socket: Socket;

  /** Asks, and reads nothing of the answer. */
  constructor(relay: Relay, id: string, marker: string, stream: boolean) {
    const { hostname, port } = new URL(relay.url);
    this.#socket = connect(Number(port), hostname);
    this.#socket.on("error", () => {});
    this.#socket.on("data", (bytes) => (this.receivedBytes += bytes.length));
    const body = JSON.stringify({ model: MODEL, stream, messages: [{ role: "user", content: marker }] });
    this.#socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: ${hostname}\r\nx-request-id: ${id}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    this.#socket.pause();
  }

  /** Reads at least so many bytes more, then stops again. */
  async reads(bytes: number): Promise<void> {
    const enough = this.receivedBytes + bytes;
    this.#socket.resume();
    await until(() => this.receivedBytes >= enough, `${bytes} bytes more for the client`, PATIENCE_MS);
    this.#socket.pause();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
