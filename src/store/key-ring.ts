// Who is this? What the relay asks on each request: answered from memory, with a store behind it that may be shared, slow or gone.
import type { Clock, Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { type ApiKey, digestOf, type KeyTerms, looksLikeKey, makeSecret, shownPrefix } from "./api-key.ts";
import { KeyLookup } from "./key-lookup.ts";
import type { KeyStore } from "./key-store.ts";
import { KeyTable, type KnownVerdict } from "./key-table.ts";
import { LastUses } from "./last-uses.ts";
import { Revocations } from "./revocations.ts";
import { StoreHealth } from "./store-health.ts";

/** How often it is looked for keys that another relay changed or that expired: what runs with them ends well within 5 s. */
export const REFRESH_INTERVAL_MS = 2_000;

/** `unavailable`: it may be a key, but the store cannot say so now. It opens nothing. */
export type KeyVerdict = KnownVerdict | { readonly kind: "unknown" } | { readonly kind: "unavailable" };

export interface CreatedKey {
  readonly key: ApiKey;
  /** To be shown once: it cannot be found out again. */
  readonly secret: string;
}

export interface KeyRingOptions {
  /** Whoever opened it closes it, after the ring has stopped. */
  readonly store: KeyStore;
  readonly clock: Clock;
  readonly log: Log;
}

/** Loads every key, then keeps them up to date until `stop`. @throws StoreUnavailable: without its keys a relay does not start. */
export async function startKeyRing(options: KeyRingOptions): Promise<KeyRing> {
  const ring = new KeyRing(options);
  await ring.start();
  return ring;
}

export class KeyRing {
  readonly #store: KeyStore;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #health: StoreHealth;
  readonly #table = new KeyTable();
  readonly #lookup: KeyLookup;
  readonly #uses: LastUses;
  readonly #revocations: Revocations;
  readonly #listeners = new Set<(key: ApiKey) => void>();
  #version: string | null = null;
  /** Up to when it was looked for keys that expired. Unix seconds. */
  #expiriesSeenTo = 0;
  #refreshing: Promise<void> | null = null;
  #timer: Timer | null = null;
  #isStopped = false;

  constructor({ store, clock, log }: KeyRingOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    const health = new StoreHealth(log);
    this.#health = health;
    this.#lookup = new KeyLookup({ store, clock, health });
    this.#uses = new LastUses({ store, clock, health });
    this.#revocations = new Revocations({ store, clock, log, health });
  }

  async start(): Promise<void> {
    this.#expiriesSeenTo = this.#nowUnixSecs();
    await this.#load();
    this.#schedule();
  }

  /** What is known without waiting; null: only the store can tell, ask with `authenticate`. */
  peek(secret: string): KeyVerdict | null {
    if (secret.length > SECRET_MAX_CHARS) return UNKNOWN;
    return this.#judge(digestOf(secret), secret);
  }

  /** Never rejects. A key that is good counts as used now. */
  async authenticate(secret: string): Promise<KeyVerdict> {
    const known = this.peek(secret);
    if (known !== null) return known;
    const digest = digestOf(secret);
    const found = await this.#lookup.find(digest);
    if (found.kind === "found") this.#table.put(found.stored);
    // It may also have come to be known, or to end, during the wait.
    return this.#judgeKnown(digest) ?? (found.kind === "unavailable" ? UNAVAILABLE : UNKNOWN);
  }

  /** Resolves once the key is durable. @throws StoreUnavailable */
  async create(terms: KeyTerms): Promise<CreatedKey> {
    const secret = makeSecret();
    const state = { createdAt: this.#nowUnixSecs(), lastUsedAt: null, revokedAt: null };
    const key: ApiKey = { ...terms, id: crypto.randomUUID(), prefix: shownPrefix(secret), ...state };
    const stored = { key, digest: digestOf(secret) };
    await this.#health.watch("writing", this.#store.insert(stored));
    this.#table.put(stored);
    this.#log.info("key created", { key_id: key.id, key_name: key.name, scopes: key.scopes });
    return { key, secret };
  }

  /** Every key, oldest first, as the store knows them now, or as this relay does while there is no store. */
  async list(): Promise<readonly ApiKey[]> {
    await this.#refresh(true);
    return this.#table.all();
  }

  /**
   * Ends a key: in memory before this returns, for good once it resolves. False: there is no such key.
   * @throws StoreUnavailable when it could not be written; it holds here all the same and is written as soon as possible.
   */
  async revoke(id: string): Promise<boolean> {
    if (!UUID.test(id)) return false;
    const key = id.toLowerCase();
    const at = this.#nowUnixSecs();
    this.#end(this.#table.revoke(key, at));
    const isThere = await this.#revocations.write(key, at);
    if (!isThere && this.#table.get(key) === null) this.#table.forgetRevocation(key);
    return isThere;
  }

  /** Calls `listener` with each key that ends: revoked, here or at another relay, or expired. Returns how to stop that. */
  onEnded(listener: (key: ApiKey) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Writes what is not written yet. Afterwards known keys can still be asked for. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.stop();
    await this.#refreshing;
    await this.#revocations.stop();
    await this.#uses.stop();
  }

  /** 1. a key we know  2. nothing that could be one  3. the store has just said no  4. the store has to be asked */
  #judge(digest: string, secret: string): KeyVerdict | null {
    const known = this.#judgeKnown(digest);
    if (known !== null) return known; // (1)
    if (!looksLikeKey(secret)) return UNKNOWN; // (2)
    return this.#lookup.isStranger(digest) ? UNKNOWN : null; // (3) (4)
  }

  #judgeKnown(digest: string): KnownVerdict | null {
    const now = this.#nowUnixSecs();
    const verdict = this.#table.judge(digest, now);
    if (verdict?.kind === "key" && this.#table.noteUse(verdict.key.id, now)) this.#uses.note(verdict.key.id, now);
    return verdict;
  }

  #end(key: ApiKey | null): void {
    if (key === null) return;
    this.#log.info("key revoked", { key_id: key.id, key_name: key.name });
    this.#tellEnded(key);
  }

  /** A key opens nothing from the second it expires; here it is looked for what it had opened before. */
  #endExpired(): void {
    const now = this.#nowUnixSecs();
    for (const key of this.#table.expiredBetween(this.#expiriesSeenTo + 1, now)) {
      this.#log.info("key expired", { key_id: key.id, key_name: key.name });
      this.#tellEnded(key);
    }
    this.#expiriesSeenTo = Math.max(this.#expiriesSeenTo, now);
  }

  #tellEnded(key: ApiKey): void {
    for (const listener of this.#listeners) {
      try {
        listener(key);
      } catch (error) {
        // The others still have to hear of it.
        this.#log.error("internal error", { where: "onEnded", error: String(error) });
      }
    }
  }

  async #load(): Promise<void> {
    const changes = this.#table.changes;
    const version = await this.#health.watch("reading", this.#store.version());
    const list = await this.#health.watch("reading", this.#store.list());
    for (const key of this.#table.replaceAll(list, changes)) this.#end(key);
    this.#version = version;
  }

  /** One at a time; a failure is logged and leaves everything as it is. */
  async #refresh(isForced: boolean): Promise<void> {
    if (this.#isStopped) return;
    this.#refreshing ??= this.#loadIfChanged(isForced).finally(() => (this.#refreshing = null));
    await this.#refreshing;
  }

  async #loadIfChanged(isForced: boolean): Promise<void> {
    try {
      const isChanged = async (): Promise<boolean> => (await this.#health.watch("reading", this.#store.version())) !== this.#version;
      if (isForced || (await isChanged())) await this.#load();
    } catch {
      // It has been logged, and what is in memory holds.
    }
  }

  #schedule(): void {
    this.#timer = this.#clock.startTimer(REFRESH_INTERVAL_MS, () => {
      this.#endExpired();
      void this.#refresh(false).finally(() => {
        // The store may have let it wait.
        this.#endExpired();
        if (!this.#isStopped) this.#schedule();
      });
    });
  }

  #nowUnixSecs(): number {
    return Math.floor(this.#clock.unixMs() / 1000);
  }
}

const UNKNOWN: KeyVerdict = { kind: "unknown" };
const UNAVAILABLE: KeyVerdict = { kind: "unavailable" };
// Longer than any key; what is longer is not worth hashing.
const SECRET_MAX_CHARS = 512;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
