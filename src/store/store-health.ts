// Says in the log when the store goes and when it comes back, once each, and apart for reading and writing: a full disk still reads.
import type { Log } from "../base/log.ts";
import { StoreUnavailable } from "./key-store.ts";

export type StoreUse = "reading" | "writing";

export class StoreHealth {
  readonly #log: Log;
  readonly #failing = new Set<StoreUse>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** The promise's own outcome, noted. */
  async watch<Result>(use: StoreUse, answer: Promise<Result>): Promise<Result> {
    try {
      const result = await answer;
      if (this.#failing.delete(use)) this.#log.info("key store available again", { for: use });
      return result;
    } catch (error) {
      if (!this.#failing.has(use)) {
        this.#failing.add(use);
        this.#log.warn("key store unavailable", { for: use, reason: reasonOf(error) });
      }
      throw error;
    }
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof StoreUnavailable) return error.reason;
  return error instanceof Error ? error.message : "unknown";
}
