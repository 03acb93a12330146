// The bytes of one answer on their way from link to edge: a bounded buffer that tells the sender what was taken.
import type { Clock } from "../base/clock.ts";
import type { Refusal } from "../base/errors.ts";

export type AnswerEnd = { readonly kind: "complete" } | { readonly kind: "failed"; readonly refusal: Refusal };

export class AnswerBody {
  readonly #clock: Clock;
  readonly #onTaken: (bytes: number) => void;
  #chunks: Uint8Array[] = [];
  #bufferedBytes = 0;
  #end: AnswerEnd | null = null;
  #isAbandoned = false;
  #onReadable: (() => void) | null = null;
  #onEnded: ((end: AnswerEnd) => void) | null = null;
  #lastMovedMs: number;

  /** `onTaken` is told of every byte the reader takes: the credit to return to the sender. */
  constructor(clock: Clock, onTaken: (bytes: number) => void) {
    this.#clock = clock;
    this.#onTaken = onTaken;
    this.#lastMovedMs = clock.nowMs();
  }

  /** Bytes that arrived and were not taken yet. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** When bytes last arrived or were taken. */
  get lastMovedMs(): number {
    return this.#lastMovedMs;
  }

  /** How it ended; null while more may come. Bytes may still wait to be read. */
  get end(): AnswerEnd | null {
    return this.#end;
  }

  // ---- sender's side ----

  push(bytes: Uint8Array): void {
    if (this.#end !== null || bytes.byteLength === 0) return;
    if (this.#isAbandoned) return this.#onTaken(bytes.byteLength);
    this.#chunks.push(bytes);
    this.#bufferedBytes += bytes.byteLength;
    this.#lastMovedMs = this.#clock.nowMs();
    this.#tellReader();
  }

  /** The first end counts; what arrives later is dropped. */
  finish(end: AnswerEnd): void {
    if (this.#end !== null) return;
    this.#end = end;
    this.#onEnded?.(end);
    this.#tellReader();
  }

  // ---- reader's side ----

  /** Everything that is there, in order; empty when nothing is. */
  take(): readonly Uint8Array[] {
    if (this.#bufferedBytes === 0) return [];
    const chunks = this.#chunks;
    const bytes = this.#bufferedBytes;
    this.#chunks = [];
    this.#bufferedBytes = 0;
    this.#lastMovedMs = this.#clock.nowMs();
    this.#onTaken(bytes);
    return chunks;
  }

  /** Calls `onReadable` once, as soon as there are bytes or an end (at once if there are already). */
  whenReadable(onReadable: () => void): void {
    if (this.#bufferedBytes > 0 || this.#end !== null) onReadable();
    else this.#onReadable = onReadable;
  }

  /** Calls `onEnded` at the moment of the end, ahead of bytes that were not read yet (at once if it has ended). */
  whenEnded(onEnded: (end: AnswerEnd) => void): void {
    this.#onEnded = onEnded;
    if (this.#end !== null) onEnded(this.#end);
  }

  /** The reader is gone: nothing is kept any more. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#onReadable = null;
    this.#chunks = [];
    this.#bufferedBytes = 0;
  }

  #tellReader(): void {
    const onReadable = this.#onReadable;
    this.#onReadable = null;
    onReadable?.();
  }
}
