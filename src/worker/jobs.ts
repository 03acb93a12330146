// The table of requests that run here: how many may, whether more are taken, and how to stop them all.
import type { RejectReason } from "../protocol/v2.ts";

export interface Job {
  /** Closes the backend's connection and sends nothing more. */
  abort(): void;
}

/** `Key` is what the protocol names a request by: v2's attempt number, v1's request id. */
export class Jobs<Key = unknown> {
  readonly #slots: number;
  readonly #onIdle: () => void;
  readonly #running = new Map<Key, Job>();
  #isDraining = false;

  /** `onIdle` is called whenever the last job is done while draining. */
  constructor(slots: number, onIdle: () => void) {
    this.#slots = slots;
    this.#onIdle = onIdle;
  }

  get size(): number {
    return this.#running.size;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Why no further job may start now, or null when one may. The relay's count is not trusted. */
  refusal(): RejectReason | null {
    if (this.#isDraining) return "draining";
    return this.#running.size >= this.#slots ? "full" : null;
  }

  has(key: Key): boolean {
    return this.#running.has(key);
  }

  add(key: Key, job: Job): void {
    this.#running.set(key, job);
  }

  /** The job is done and says so itself. */
  finish(key: Key): void {
    if (this.#running.delete(key)) this.#reportIdle();
  }

  /** Stops one job; false when there is none of this key (any more). */
  abort(key: Key): boolean {
    const job = this.#running.get(key);
    if (job === undefined) return false;
    job.abort();
    this.finish(key);
    return true;
  }

  abortAll(): void {
    for (const job of this.#running.values()) job.abort();
    this.#running.clear();
  }

  /** Takes no more; calls `onIdle` now when nothing runs, else when the last job ends. */
  drain(): void {
    this.#isDraining = true;
    this.#reportIdle();
  }

  #reportIdle(): void {
    if (this.#isDraining && this.#running.size === 0) this.#onIdle();
  }
}
