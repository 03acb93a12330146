// All keys in memory, found by digest and by id: what is true of a key at this moment, without any waiting.
import type { ApiKey, StoredKey } from "./api-key.ts";

export type KnownVerdict = { readonly kind: "key"; readonly key: ApiKey } | { readonly kind: "revoked" } | { readonly kind: "expired" };

interface Entry {
  key: ApiKey;
  readonly digest: string;
  /** When it came to be known here, counted in changes of the table. */
  readonly since: number;
}

export class KeyTable {
  readonly #byDigest = new Map<string, Entry>();
  readonly #byId = new Map<string, Entry>();
  // What was revoked through this table stays revoked in it, whatever an older answer of a store says later.
  readonly #revokedAt = new Map<string, number>();
  #changes = 0;

  get size(): number {
    return this.#byId.size;
  }

  /** Changes so far: to be taken before a store is asked for the list that `replaceAll` is given. */
  get changes(): number {
    return this.#changes;
  }

  all(): readonly ApiKey[] {
    return [...this.#byId.values()].map((entry) => entry.key);
  }

  get(id: string): ApiKey | null {
    return this.#byId.get(id)?.key ?? null;
  }

  /** Null: no key has this digest. A revoked key that has also expired is revoked. */
  judge(digest: string, nowUnixSecs: number): KnownVerdict | null {
    const key = this.#byDigest.get(digest)?.key;
    if (key === undefined) return null;
    if (key.revokedAt !== null) return { kind: "revoked" };
    if (key.expiresAt !== null && key.expiresAt <= nowUnixSecs) return { kind: "expired" };
    return { kind: "key", key };
  }

  /** Takes in a key the store knows. Returns it when it was good until now and is revoked. */
  put({ key: stored, digest }: StoredKey): ApiKey | null {
    const before = this.#byId.get(stored.id);
    const revokedAt = this.#revokedAt.get(stored.id) ?? stored.revokedAt;
    const key = { ...stored, revokedAt, lastUsedAt: later(stored.lastUsedAt, before?.key.lastUsedAt ?? null) };
    if (before !== undefined && before.digest !== digest) this.#byDigest.delete(before.digest);
    const entry = { key, digest, since: before?.since ?? ++this.#changes };
    this.#byId.set(key.id, entry);
    this.#byDigest.set(digest, entry);
    return before !== undefined && before.key.revokedAt === null && revokedAt !== null ? key : null;
  }

  /**
   * Takes in everything the store knows, as it was asked after `changes`. Keys it does not list are forgotten, but for
   * those that came to be known meanwhile. Returns the keys that were good until now and are not any more.
   */
  replaceAll(list: readonly StoredKey[], changes: number): readonly ApiKey[] {
    const ended = list.map((stored) => this.put(stored)).filter((key) => key !== null);
    const listed = new Set(list.map((stored) => stored.key.id));
    for (const [id, entry] of this.#byId) {
      if (listed.has(id) || entry.since > changes) continue;
      this.#byId.delete(id);
      this.#byDigest.delete(entry.digest);
      if (entry.key.revokedAt === null) ended.push(entry.key);
    }
    return ended;
  }

  /** Holds from now on, also for a key that comes to be known only later. Returns the key when it was good until now. */
  revoke(id: string, atUnixSecs: number): ApiKey | null {
    if (!this.#revokedAt.has(id)) this.#revokedAt.set(id, atUnixSecs);
    const entry = this.#byId.get(id);
    if (entry === undefined || entry.key.revokedAt !== null) return null;
    entry.key = { ...entry.key, revokedAt: atUnixSecs };
    return entry.key;
  }

  /** The keys that were good at one moment and have expired by another. Unix seconds, the first one included. */
  expiredBetween(from: number, to: number): readonly ApiKey[] {
    return this.all().filter(
      ({ expiresAt, revokedAt }) => revokedAt === null && expiresAt !== null && expiresAt >= from && expiresAt <= to,
    );
  }

  /** For a key that does not exist after all. */
  forgetRevocation(id: string): void {
    this.#revokedAt.delete(id);
  }

  /** False when that is known already. */
  noteUse(id: string, atUnixSecs: number): boolean {
    const entry = this.#byId.get(id);
    if (entry === undefined || (entry.key.lastUsedAt ?? 0) >= atUnixSecs) return false;
    entry.key = { ...entry.key, lastUsedAt: atUnixSecs };
    return true;
  }
}

function later(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.max(one, other);
}
