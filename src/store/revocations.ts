// A revocation that could not be written is tried again until it is durable; in memory it holds since it was asked for.
import type { Clock, Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { KeyStore } from "./key-store.ts";
import type { StoreHealth } from "./store-health.ts";

/** Pause between two tries. */
export const REVOCATION_RETRY_MS = 5_000;

export interface RevocationsOptions {
  readonly store: Pick<KeyStore, "revoke">;
  readonly clock: Clock;
  readonly log: Log;
  readonly health: StoreHealth;
}

export class Revocations {
  readonly #options: RevocationsOptions;
  readonly #unwritten = new Map<string, number>();
  #timer: Timer | null = null;
  #isStopped = false;

  constructor(options: RevocationsOptions) {
    this.#options = options;
  }

  /** Resolves once it is durable; false: no such key. @throws StoreUnavailable, and goes on trying. */
  async write(id: string, atUnixSecs: number): Promise<boolean> {
    // The first time it was asked for is when the key ended.
    const at = this.#unwritten.get(id) ?? atUnixSecs;
    try {
      const isThere = await this.#store(id, at);
      this.#unwritten.delete(id);
      return isThere;
    } catch (error) {
      this.#unwritten.set(id, at);
      this.#options.log.warn("revocation not stored yet", { key_id: id });
      this.#schedule();
      throw error;
    }
  }

  /** Tries once more. What is lost then is said, because a restart brings these keys back. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.stop();
    await this.#retry();
    for (const id of this.#unwritten.keys()) this.#options.log.error("revocation lost", { key_id: id });
  }

  async #retry(): Promise<void> {
    for (const [id, at] of this.#unwritten) {
      try {
        await this.#store(id, at);
      } catch {
        // The others would fail alike.
        return;
      }
      this.#unwritten.delete(id);
      this.#options.log.info("revocation stored", { key_id: id });
    }
  }

  #store(id: string, at: number): Promise<boolean> {
    return this.#options.health.watch("writing", this.#options.store.revoke(id, at));
  }

  #schedule(): void {
    if (this.#timer !== null || this.#isStopped) return;
    this.#timer = this.#options.clock.startTimer(REVOCATION_RETRY_MS, () => {
      void this.#retry().finally(() => {
        this.#timer = null;
        if (this.#unwritten.size > 0) this.#schedule();
      });
    });
  }
}
