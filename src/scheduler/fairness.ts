// Start-time fair queueing (Goyal, Vin and Cheng, 1996) with every request costing one: whose turn it is between API keys.

interface Share {
  /** The tag its next request gets at the least. */
  finish: number;
  /** What `finish` would be had it only ever asked for what it was served. */
  served: number;
  waiting: number;
}

export class Fairness {
  /** Virtual time: the highest tag served so far. */
  #now = 0;
  readonly #shares = new Map<string, Share>();
  /** Keys with nothing waiting, to be forgotten once virtual time has passed them. */
  #idle: string[] = [];

  /** The tag of a request that arrives now and will wait. */
  tagFor(key: string): number {
    const share = this.#shareOf(key);
    const tag = Math.max(this.#now, share.finish);
    share.finish = tag + 1;
    share.waiting++;
    return tag;
  }

  /** A request waits again under the tag it had. */
  onRequeued(key: string, tag: number): void {
    const share = this.#shareOf(key);
    share.finish = Math.max(share.finish, tag + 1);
    share.waiting++;
  }

  onServed(key: string, tag: number): void {
    const share = this.#shareOf(key);
    share.served = Math.max(share.served, tag + 1);
    this.#stopWaiting(key, share);
    if (tag > this.#now) this.#advance(tag);
  }

  /** It left the queue without being served, which must not cost the key its next turn. */
  onLeft(key: string): void {
    this.#stopWaiting(key, this.#shareOf(key));
  }

  #stopWaiting(key: string, share: Share): void {
    share.waiting--;
    if (share.waiting > 0) return;
    share.finish = share.served;
    this.#idle.push(key);
  }

  /** Tags are whole numbers and an idle key is at most one ahead, so every step of time passes all idle keys. */
  #advance(tag: number): void {
    this.#now = tag;
    for (const key of this.#idle) {
      const share = this.#shares.get(key);
      if (share !== undefined && share.waiting === 0 && share.finish <= tag) this.#shares.delete(key);
    }
    this.#idle = this.#idle.filter((key) => this.#shares.get(key)?.waiting === 0);
  }

  #shareOf(key: string): Share {
    let share = this.#shares.get(key);
    if (share === undefined) {
      share = { finish: this.#now, served: this.#now, waiting: 0 };
      this.#shares.set(key, share);
    }
    return share;
  }
}
