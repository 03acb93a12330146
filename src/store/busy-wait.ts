// Waiting for another program that has the SQLite file locked: SQLite would wait itself, but nothing else here would run meanwhile.
import type { Clock } from "../base/clock.ts";

/** How long a call waits before it says that the file is locked: another relay's write takes milliseconds, what takes longer may take hours. */
export const BUSY_LIMIT_MS = 5_000;
/** Pause between two tries: short beside the limit, so that somebody who writes without a break leaves a gap often enough. */
export const BUSY_RETRY_MS = 25;

export class BusyWait {
  readonly #clock: Clock;
  readonly #stopPauses = new Set<() => void>();
  #isStopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Asks at once, and again while `isBusy` says that somebody else has the file. @throws what `ask` threw last */
  async whenFree<Result>(ask: () => Result, isBusy: (error: unknown) => boolean): Promise<Result> {
    const giveUpAtMs = this.#clock.nowMs() + BUSY_LIMIT_MS;
    for (;;) {
      try {
        return ask();
      } catch (error) {
        if (!isBusy(error) || this.#clock.nowMs() >= giveUpAtMs) throw error;
        await this.#pause();
        if (this.#isStopped) throw error;
      }
    }
  }

  /** Who still waits is told at once that it was in vain. */
  stop(): void {
    this.#isStopped = true;
    for (const stopPause of this.#stopPauses) stopPause();
  }

  async #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#clock.startTimer(BUSY_RETRY_MS, resolve);
    this.#stopPauses.add(resolve);
    await promise;
    this.#stopPauses.delete(resolve);
    timer.stop();
  }
}
