// How a v1 worker, which never acknowledges a cancel, is found to have stopped: by the load in its pong to a ping sent after the cancel.
import type { Clock, Timer } from "../base/clock.ts";

/** An aborting worker may still count the request when the first ping reaches it; ask again, ever less often. */
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 2_000;

export class CancelProbe {
  readonly #clock: Clock;
  readonly #ping: () => number;
  /** Cancelled requests and the stamp of the first ping sent after their cancel. */
  readonly #awaited = new Map<string, number>();
  #retry: Timer | null = null;
  #retryMs = FIRST_RETRY_MS;

  /** `ping` sends one and returns the stamp its pong will echo. */
  constructor(clock: Clock, ping: () => number) {
    this.#clock = clock;
    this.#ping = ping;
  }

  onCancelled(name: string): void {
    this.#retryMs = FIRST_RETRY_MS;
    this.#awaited.set(name, this.#ping());
  }

  /** It ended by itself, or was judged. */
  onGone(name: string): void {
    this.#awaited.delete(name);
    if (this.#awaited.size === 0) this.stop();
  }

  /**
   * The cancelled requests that this pong accounts for: those cancelled before its ping, if the worker's load is not above
   * the requests that are still wanted there. A pong without a stamp answers the latest ping.
   */
  onPong(load: number, live: number, stamp: number | null): readonly string[] {
    if (this.#awaited.size === 0) return [];
    const judged: string[] = [];
    if (load <= live) for (const [name, pingStamp] of this.#awaited) if (stamp === null || stamp >= pingStamp) judged.push(name);
    if (judged.length < this.#awaited.size) this.#askAgain();
    return judged;
  }

  stop(): void {
    this.#retry?.stop();
    this.#retry = null;
  }

  #askAgain(): void {
    if (this.#retry !== null) return;
    this.#retry = this.#clock.startTimer(this.#retryMs, () => {
      this.#retry = null;
      this.#ping();
    });
    this.#retryMs = Math.min(LONGEST_RETRY_MS, this.#retryMs * 2);
  }
}
