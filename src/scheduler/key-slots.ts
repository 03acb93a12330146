// How many slots each API key holds, for the keys that may hold only so many at once.

export class KeySlots {
  readonly #held = new Map<string, { held: number; limit: number }>();

  /** A slot was taken for a request of this key. True: the key is at its limit now. `limit` 0: none. */
  take(key: string, limit: number): boolean {
    const entry = this.#held.get(key);
    if (entry === undefined && limit === 0) return false;
    const held = (entry?.held ?? 0) + 1;
    this.#held.set(key, { held, limit });
    return limit > 0 && held >= limit;
  }

  /** A slot came back. True: the key is below its limit now. */
  giveBack(key: string): boolean {
    const entry = this.#held.get(key);
    if (entry === undefined) return false;
    entry.held--;
    if (entry.held === 0) this.#held.delete(key);
    return entry.held < entry.limit;
  }
}
