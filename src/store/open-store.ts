// Which store a relay has: the Postgres database it was given, else a file of its own.
import type { Clock } from "../base/clock.ts";
import type { KeyStore } from "./key-store.ts";
import { openPostgresStore } from "./postgres-store.ts";
import { openSqliteStore } from "./sqlite-store.ts";

export interface KeyStoreOptions {
  /** DATABASE_URL, or null. */
  readonly databaseUrl: string | null;
  /** Used when there is no DATABASE_URL; ":memory:" keeps nothing. */
  readonly dataDir: string;
  readonly clock: Clock;
}

/** @throws UsageError or CommandError that says what cannot be used and what to do; the latter when it may pass by itself */
export async function openKeyStore({ databaseUrl, dataDir, clock }: KeyStoreOptions): Promise<KeyStore> {
  return databaseUrl === null ? openSqliteStore(dataDir, clock) : await openPostgresStore(databaseUrl, clock);
}
