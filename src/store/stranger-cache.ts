// Which digests the store has just said it does not know, so that a client that repeats a wrong key is not asked about again.

/** How long a digest counts as unknown without asking again; a key made at another relay works here at the latest then. */
export const STRANGER_TTL_MS = 5_000;
/** About 2 MiB of digests. */
export const STRANGERS_MAX = 10_000;

/** Bounded: the one longest unasked for leaves first. */
export class StrangerCache {
  // In the order of their last use; a Map keeps the order of insertion.
  readonly #untilMs = new Map<string, number>();

  has(digest: string, nowMs: number): boolean {
    const untilMs = this.#untilMs.get(digest);
    if (untilMs === undefined) return false;
    this.#untilMs.delete(digest);
    if (untilMs <= nowMs) return false;
    this.#untilMs.set(digest, untilMs);
    return true;
  }

  add(digest: string, nowMs: number): void {
    this.#untilMs.delete(digest);
    this.#untilMs.set(digest, nowMs + STRANGER_TTL_MS);
    if (this.#untilMs.size <= STRANGERS_MAX) return;
    const [oldest] = this.#untilMs.keys();
    if (oldest !== undefined) this.#untilMs.delete(oldest);
  }

  get size(): number {
    return this.#untilMs.size;
  }
}
