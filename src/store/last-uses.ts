// When keys were last used, written in batches: no request waits for it.
import type { Clock, Timer } from "../base/clock.ts";
import type { KeyStore } from "./key-store.ts";
import type { StoreHealth } from "./store-health.ts";

/** At most this much is lost when the process is killed. */
export const USES_WRITTEN_EVERY_MS = 10_000;

export interface LastUsesOptions {
  readonly store: Pick<KeyStore, "touch">;
  readonly clock: Clock;
  readonly health: StoreHealth;
}

export class LastUses {
  readonly #options: LastUsesOptions;
  #unwritten = new Map<string, number>();
  #timer: Timer | null = null;
  #writing: Promise<void> | null = null;
  #isStopped = false;

  constructor(options: LastUsesOptions) {
    this.#options = options;
  }

  note(id: string, atUnixSecs: number): void {
    this.#unwritten.set(id, atUnixSecs);
    this.#schedule();
  }

  /** Writes what is not written yet; what fails is kept for the next time. */
  async flush(): Promise<void> {
    if (this.#writing !== null) await this.#writing;
    if (this.#unwritten.size === 0) return;
    this.#writing = this.#write().finally(() => (this.#writing = null));
    await this.#writing;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.stop();
    await this.flush();
  }

  async #write(): Promise<void> {
    const { store, health } = this.#options;
    const batch = this.#unwritten;
    this.#unwritten = new Map();
    try {
      await health.watch("writing", store.touch(batch));
    } catch {
      // What was noted meanwhile is later.
      for (const [id, at] of batch) if (!this.#unwritten.has(id)) this.#unwritten.set(id, at);
    }
  }

  #schedule(): void {
    if (this.#timer !== null || this.#isStopped) return;
    this.#timer = this.#options.clock.startTimer(USES_WRITTEN_EVERY_MS, () => {
      void this.flush().finally(() => {
        this.#timer = null;
        if (this.#unwritten.size > 0) this.#schedule();
      });
    });
  }
}
