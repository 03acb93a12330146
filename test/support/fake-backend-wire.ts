// One TCP connection of the fake backend: bytes in, bytes out, and what the peer does with them, without any HTTP.
import type { Socket } from "bun";
import { slices, type Slicing } from "./fake-backend-slicing.ts";
import { turns } from "./until.ts";

/** How the connection ended: not yet, by the other side, or by us. */
type End = "open" | "peer" | "us";

export class Wire {
  readonly #socket: Socket<Wire>;
  readonly #closedByPeer = Promise.withResolvers<void>();
  readonly #onData: (bytes: Uint8Array) => void;
  #unsent: Uint8Array = new Uint8Array();
  #isEmpty = Promise.withResolvers<void>();
  #end: End = "open";
  #bytesAccepted = 0;

  constructor(socket: Socket<Wire>, onData: (bytes: Uint8Array) => void) {
    this.#socket = socket;
    this.#onData = onData;
  }

  get end(): End {
    return this.#end;
  }

  /** The peer hung up (FIN or RST) before we did. */
  get closedByPeer(): Promise<void> {
    return this.#closedByPeer.promise;
  }

  /** Bytes the kernel has taken: what the peer has read, plus at most its and our socket buffers. */
  get bytesAccepted(): number {
    return this.#bytesAccepted;
  }

  /** Something waits because the peer does not read. */
  get isStalled(): boolean {
    return this.#unsent.length > 0;
  }

  /**
   * Writes the bytes, each slice as a packet of its own. Resolves when the kernel has taken them all, with false when the
   * connection ended before.
   */
  async write(bytes: Uint8Array, slicing: Slicing = "whole"): Promise<boolean> {
    for (const slice of slices(bytes, slicing)) {
      if (this.#end !== "open") return false;
      await this.#writeSlice(slice);
      // The peer shall read this slice before the next one comes.
      if (slicing !== "whole") await turns();
    }
    return this.#end === "open";
  }

  /** Hangs up in the orderly way (FIN), after what was written. */
  async close(): Promise<void> {
    if (this.isStalled) await this.#isEmpty.promise;
    if (this.#end === "open") this.#end = "us";
    this.#socket.end();
  }

  /** Hangs up with a RST. */
  reset(): void {
    if (this.#end === "open") this.#end = "us";
    this.#socket.terminate();
  }

  async #writeSlice(slice: Uint8Array): Promise<void> {
    if (this.isStalled) await this.#isEmpty.promise;
    if (this.#end !== "open") return;
    this.#unsent = slice;
    this.#isEmpty = Promise.withResolvers<void>();
    this.onDrain();
    await this.#isEmpty.promise;
  }

  // What the listener calls.

  onData(bytes: Uint8Array): void {
    this.#onData(bytes);
  }

  onDrain(): void {
    if (this.#unsent.length > 0) {
      const accepted = Math.max(0, this.#socket.write(this.#unsent));
      this.#bytesAccepted += accepted;
      this.#unsent = this.#unsent.subarray(accepted);
    }
    if (this.#unsent.length === 0) this.#isEmpty.resolve();
  }

  onEnd(): void {
    if (this.#end === "open") {
      this.#end = "peer";
      this.#closedByPeer.resolve();
    }
    this.#unsent = new Uint8Array();
    this.#isEmpty.resolve();
    this.#socket.end();
  }
}
