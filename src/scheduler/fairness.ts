// Start-time fair queueing (Goyal, Vin and Cheng, 1996) with every request costing one: whose turn it is between API keys.

interface Share {
  /** The tag its next request gets at the least: one above the highest it has waiting or was served. */
  finish: number;
  /** What `finish` would be had it only ever asked for what it was served. */
  served: number;
  /** Tags of its waiting requests; no two are the same. */
  readonly waiting: Set<number>;
}

export class Fairness {
  /** Virtual time: the highest tag served so far. */
  #now = 0;
  readonly #shares = new Map<string, Share>();
  /** Keys with nothing waiting, to be forgotten once virtual time has passed them. */
  readonly #idle = new Set<string>();

  /** The tag of a request that arrives now and will wait. */
  tagFor(key: string): number {
    const share = this.#shareOf(key);
    const tag = Math.max(this.#now, share.finish);
    share.finish = tag + 1;
    share.waiting.add(tag);
    return tag;
  }

  /** A request waits again under the tag it had. */
  onRequeued(key: string, tag: number): void {
    const share = this.#shareOf(key);
    share.finish = Math.max(share.finish, tag + 1);
    share.waiting.add(tag);
  }

  onServed(key: string, tag: number): void {
    const share = this.#shareOf(key);
    share.served = Math.max(share.served, tag + 1);
    this.#stopWaiting(key, share, tag);
    if (tag > this.#now) this.#advance(tag);
  }

  /** It left the queue without being served, which must not cost the key its next turn. */
  onLeft(key: string, tag: number): void {
    this.#stopWaiting(key, this.#shareOf(key), tag);
  }

  /** Steps `finish` back over tags nobody has any more; below virtual time it would make no difference. */
  #stopWaiting(key: string, share: Share, tag: number): void {
    share.waiting.delete(tag);
    const least = Math.max(share.served, this.#now);
    while (share.finish > least && !share.waiting.has(share.finish - 1)) share.finish--;
    if (share.waiting.size === 0) this.#idle.add(key);
  }

  /** Tags are whole numbers and an idle key is at most one ahead, so every step of time passes nearly all idle keys. */
  #advance(tag: number): void {
    this.#now = tag;
    for (const key of this.#idle) {
      const share = this.#shares.get(key);
      const isIdle = share?.waiting.size === 0;
      if (isIdle && share.finish > tag) continue;
      if (isIdle) this.#shares.delete(key);
      this.#idle.delete(key);
    }
  }

  #shareOf(key: string): Share {
    let share = this.#shares.get(key);
    if (share === undefined) {
      share = { finish: this.#now, served: this.#now, waiting: new Set() };
      this.#shares.set(key, share);
    }
    return share;
  }
}
