// Where keys outlive the process: what the relay asks of a database, and how one says that it cannot.
import type { StoredKey } from "./api-key.ts";

/**
 * Other processes may use the same database. What resolved is durable: it survives a crash of the process and of the machine.
 * Each function may reject with StoreUnavailable.
 */
export interface KeyStore {
  readonly insert: (stored: StoredKey) => Promise<void>;
  /** Every key, revoked and expired ones included, oldest first. */
  readonly list: () => Promise<readonly StoredKey[]>;
  /** A text that differs from the one before when another process may have changed more than when keys were last used. */
  readonly version: () => Promise<string>;
  readonly findByDigest: (digest: string) => Promise<StoredKey | null>;
  /** A key that is revoked already stays so since then. False: there is no such key. */
  readonly revoke: (id: string, atUnixSecs: number) => Promise<boolean>;
  /** Notes when keys were last used, by id; an earlier time than the noted one changes nothing. */
  readonly touch: (uses: ReadonlyMap<string, number>) => Promise<void>;
  /** Nothing may be asked afterwards. */
  readonly close: () => Promise<void>;
}

/** The store did not do what it was asked, and it may do it later. */
export class StoreUnavailable extends Error {
  /** A sentence of ours for operators: it names no secret, address or text of the database. */
  readonly reason: string;

  constructor(reason: string, cause?: unknown) {
    super(reason, { cause });
    this.name = "StoreUnavailable";
    this.reason = reason;
  }
}
