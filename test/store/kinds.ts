// The stores there are, each opened on a place of its own: what is promised of one is promised of all.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { digestOf, type KeyTerms, makeSecret, plainTerms, shownPrefix, type StoredKey } from "../../src/store/api-key.ts";
import { openKeyStore } from "../../src/store/open-store.ts";
import type { KeyStore } from "../../src/store/key-store.ts";
import type { TestPostgres } from "../support/postgres.ts";

export interface StorePlace extends Disposable {
  /** Opens the store at this place; each call is what another process would get. */
  readonly open: () => Promise<KeyStore>;
}

export interface StoreKind {
  readonly name: string;
  /** Whether what is stored can be opened again. */
  readonly lasts: boolean;
  readonly needsPostgres: boolean;
  readonly place: (postgres: TestPostgres | null) => Promise<StorePlace>;
}

const clock = systemClock;

export const STORE_KINDS: readonly StoreKind[] = [
  {
    name: "SQLite file",
    lasts: true,
    needsPostgres: false,
    place: async () => {
      const directory = temporaryDirectory();
      const dataDir = join(directory.path, "state");
      return { open: () => openKeyStore({ databaseUrl: null, dataDir, clock }), [Symbol.dispose]: () => directory[Symbol.dispose]() };
    },
  },
  {
    name: "SQLite :memory:",
    lasts: false,
    needsPostgres: false,
    place: async () => ({
      open: () => openKeyStore({ databaseUrl: null, dataDir: ":memory:", clock }),
      [Symbol.dispose]: () => {},
    }),
  },
  {
    name: "Postgres",
    lasts: true,
    needsPostgres: true,
    place: async (postgres) => {
      if (postgres === null) throw new Error("this needs Postgres");
      const databaseUrl = await postgres.database();
      return { open: () => openKeyStore({ databaseUrl, dataDir: ":memory:", clock }), [Symbol.dispose]: () => {} };
    },
  },
];

export interface TemporaryDirectory extends Disposable {
  readonly path: string;
}

export function temporaryDirectory(): TemporaryDirectory {
  const path = mkdtempSync(join(tmpdir(), "modelrelay-store-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export interface MadeKey extends StoredKey {
  readonly secret: string;
}

/** A key as the ring makes them. */
export function makeKey(terms: Partial<KeyTerms> = {}, createdAt = 1_800_000_000): MadeKey {
  const secret = makeSecret();
  const state = { id: crypto.randomUUID(), prefix: shownPrefix(secret), createdAt, lastUsedAt: null, revokedAt: null };
  return { key: { ...plainTerms("test"), ...terms, ...state }, digest: digestOf(secret), secret };
}
