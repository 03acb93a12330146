// Request bodies on their way to a v2 worker: each within its own window, none while the socket is backed up.
import { encodeBodyFrame } from "../protocol/frames.ts";
import { BODY_FRAME_MAX_BYTES } from "../protocol/limits.ts";
import type { Wire } from "./wire.ts";

interface Outgoing {
  readonly body: Uint8Array;
  sentBytes: number;
  creditBytes: number;
}

export class Outbox {
  readonly #wire: Pick<Wire, "send">;
  readonly #windowBytes: number;
  /** Bodies that are not sent in full, by attempt number. */
  readonly #outgoing = new Map<number, Outgoing>();
  #isBackedUp = false;

  constructor(wire: Pick<Wire, "send">, windowBytes: number) {
    this.#wire = wire;
    this.#windowBytes = windowBytes;
  }

  add(attempt: number, body: Uint8Array): void {
    if (body.byteLength === 0) return;
    const outgoing: Outgoing = { body, sentBytes: 0, creditBytes: this.#windowBytes };
    this.#outgoing.set(attempt, outgoing);
    this.#pump(attempt, outgoing);
  }

  /** The worker took `bytes` of the body and has room for as many more. */
  onCredit(attempt: number, bytes: number): void {
    const outgoing = this.#outgoing.get(attempt);
    if (outgoing === undefined) return;
    // A worker that returns more than it was sent gets no more than its window.
    outgoing.creditBytes = Math.min(this.#windowBytes, outgoing.creditBytes + bytes);
    this.#pump(attempt, outgoing);
  }

  /** The socket took everything: go on. */
  onDrain(): void {
    this.#isBackedUp = false;
    for (const [attempt, outgoing] of this.#outgoing) this.#pump(attempt, outgoing);
  }

  drop(attempt: number): void {
    this.#outgoing.delete(attempt);
  }

  #pump(attempt: number, outgoing: Outgoing): void {
    while (!this.#isBackedUp && outgoing.creditBytes > 0) {
      const { body, sentBytes } = outgoing;
      const length = Math.min(BODY_FRAME_MAX_BYTES, outgoing.creditBytes, body.byteLength - sentBytes);
      const fate = this.#wire.send(encodeBodyFrame("request", attempt, body.subarray(sentBytes, sentBytes + length)));
      if (fate === "lost") return this.#outgoing.clear();
      this.#isBackedUp = fate === "queued";
      outgoing.sentBytes += length;
      outgoing.creditBytes -= length;
      if (outgoing.sentBytes === body.byteLength) return this.drop(attempt);
    }
  }
}
