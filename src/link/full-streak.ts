// When a worker that said it is full is believed to be free again: quickly the first time, once per heartbeat when it says so on and on.

/** What is asked of the worker's socket. */
interface Pinger {
  /** The stamp of the latest ping. */
  readonly lastStamp: number;
  ping(): unknown;
}

/**
 * A worker that reports a load of 0 and rejects what it is then sent would else be tried as fast as the network allows.
 * A row of rejections ends with an answer, which shows that the worker takes work.
 */
export class FullStreak {
  readonly #wire: Pinger;
  /** The last attempt sent before the row's first rejection; null: there is no row. */
  #before: number | null = null;
  /** The latest ping when the worker was last doubted; null: it is not. */
  #doubtedAfter: number | null = null;

  constructor(wire: Pinger) {
    this.#wire = wire;
  }

  /** It rejected again what its own report had called for; only the report that answers the next heartbeat counts. */
  get isDoubted(): boolean {
    return this.#doubtedAfter === this.#wire.lastStamp;
  }

  /**
   * It gets no work until it reports its load.
   * 1. the first of a row: asked at once rather than at the next heartbeat
   * 2. sent before that question, so that the answer accounts for it   3. sent on the strength of a report that was not true
   */
  onFull(attempt: number, lastSent: number): void {
    if (this.#before === null) {
      this.#before = lastSent;
      this.#wire.ping(); // (1)
    } else if (attempt > this.#before) this.#doubtedAfter = this.#wire.lastStamp; // (3), and nothing to do in (2)
  }

  /** The worker took what it was sent. */
  onTaken(): void {
    this.#before = null;
    this.#doubtedAfter = null;
  }
}
