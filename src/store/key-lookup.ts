// Asking the store about a digest nobody here knows, so carefully that a flood of wrong keys cannot hurt the database or the relay.
import type { Clock } from "../base/clock.ts";
import type { StoredKey } from "./api-key.ts";
import type { KeyStore } from "./key-store.ts";
import type { StoreHealth } from "./store-health.ts";
import { StrangerCache } from "./stranger-cache.ts";

/** A client waits no longer than this for an answer about its key. */
export const LOOKUP_DEADLINE_MS = 2_000;
/** Questions at the store at a time. Its other connections stay free for revocations. */
export const LOOKUPS_AT_ONCE = 2;
/** Different digests that may be asked about or wait for it; those beyond are told at once that it cannot be known now. */
export const LOOKUPS_MAX = 256;

export type Found = { readonly kind: "found"; readonly stored: StoredKey } | { readonly kind: "none" } | { readonly kind: "unavailable" };

export interface KeyLookupOptions {
  readonly store: Pick<KeyStore, "findByDigest">;
  readonly clock: Clock;
  readonly health: StoreHealth;
}

export class KeyLookup {
  readonly #options: KeyLookupOptions;
  readonly #strangers = new StrangerCache();
  /** Under way or waiting, in the order of arrival. */
  readonly #open = new Map<string, Promise<Found>>();
  readonly #waiting: (() => void)[] = [];
  #asking = 0;

  constructor(options: KeyLookupOptions) {
    this.#options = options;
  }

  /** True when the store said so within the last seconds. */
  isStranger(digest: string): boolean {
    return this.#strangers.has(digest, this.#options.clock.nowMs());
  }

  /** 1. the same question is under way  2. too many are  3. a new question */
  async find(digest: string): Promise<Found> {
    const same = this.#open.get(digest);
    if (same !== undefined) return await this.#atMost(same); // (1)
    if (this.#open.size >= LOOKUPS_MAX) return UNAVAILABLE; // (2)
    const answer = this.#ask(digest).finally(() => this.#open.delete(digest));
    this.#open.set(digest, answer);
    return await this.#atMost(answer); // (3)
  }

  async #ask(digest: string): Promise<Found> {
    const { store, clock, health } = this.#options;
    if (this.#asking >= LOOKUPS_AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#asking++;
    try {
      const stored = await health.watch("reading", store.findByDigest(digest));
      if (stored !== null) return { kind: "found", stored };
      this.#strangers.add(digest, clock.nowMs());
      return { kind: "none" };
    } catch {
      return UNAVAILABLE;
    } finally {
      // The turn passes on to the next, or comes back.
      const next = this.#waiting.shift();
      if (next === undefined) this.#asking--;
      else next();
    }
  }

  /** The answer goes on being waited for, for the sake of those who ask next. */
  async #atMost(answer: Promise<Found>): Promise<Found> {
    const { promise: tooLate, resolve } = Promise.withResolvers<Found>();
    const timer = this.#options.clock.startTimer(LOOKUP_DEADLINE_MS, () => resolve(UNAVAILABLE));
    try {
      return await Promise.race([answer, tooLate]);
    } finally {
      timer.stop();
    }
  }
}

const UNAVAILABLE: Found = { kind: "unavailable" };
