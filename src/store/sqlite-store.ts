// Keys in an SQLite file beside the relay: the store of everyone who does not bring a database.
import type { Database } from "bun:sqlite";
import type { Clock } from "../base/clock.ts";
import { BusyWait } from "./busy-wait.ts";
import { watchPlace } from "./file-place.ts";
import { type KeyRow, parseKeyRow, parseKeyRows, toKeyRow } from "./key-row.ts";
import { type KeyStore, StoreUnavailable } from "./key-store.ts";
import { codeOf, IN_MEMORY, openDatabase } from "./sqlite-file.ts";

/**
 * @param dataDir directory of the file, created when missing; ":memory:" keeps nothing.
 * @throws UsageError that names the file and what to do, when it is damaged, newer than this program or cannot be used.
 */
export function openSqliteStore(dataDir: string, clock: Clock): KeyStore {
  return createSqliteStore(openDatabase(dataDir), clock);
}

/** On an open database, which the store closes. Each call is tried before it returns: SQLite is synchronous. */
export function createSqliteStore(database: Database, clock: Clock): KeyStore {
  const statements = prepare(database);
  const wait = new BusyWait(clock);
  const isInPlace = database.filename === IN_MEMORY ? () => true : watchPlace(database.filename);
  // Requests are relayed from here on: SQLite waits for nobody, we do.
  database.run("PRAGMA busy_timeout = 0");
  const askInPlace = <Result>(ask: () => Result): Result => {
    if (!isInPlace()) throw new StoreUnavailable(MOVED);
    return ask();
  };
  const attempt = async <Result>(ask: () => Result): Promise<Result> => {
    try {
      return await wait.whenFree(() => askInPlace(ask), isBusy);
    } catch (error) {
      throw unavailable(error);
    }
  };

  return {
    insert: async (stored) => {
      const { digest, ...row } = toKeyRow(stored);
      await attempt(() => statements.insert.run({ ...row, digest: Buffer.from(digest, "hex") }));
    },
    list: async () => await parseKeyRows(await attempt(() => statements.list.all())),
    // It counts the commits of every connection but this one.
    version: async () => String((await attempt(() => statements.version.get()))?.data_version ?? 0),
    findByDigest: async (digest) => {
      const row = await attempt(() => statements.find.get({ digest: Buffer.from(digest, "hex") }));
      return row === null ? null : parseKeyRow(row);
    },
    revoke: async (id, atUnixSecs) => await attempt(() => statements.revoke.run({ id, at: atUnixSecs }).changes > 0),
    touch: async (uses) => {
      try {
        askInPlace(() => touchAll(database, statements.touch, uses));
      } catch (error) {
        throw unavailable(error);
      }
    },
    close: async () => {
      wait.stop();
      database.close();
    },
  };
}

const MOVED =
  "The key database was moved, removed or replaced while the relay runs. See that the right file is there, then restart the relay.";

type Statements = ReturnType<typeof prepare>;

function prepare(database: Database) {
  return {
    insert: database.query(
      `INSERT INTO api_keys (id, name, prefix, digest, scopes, models, provider, worker_name, max_slots, max_concurrent,
         requests_per_minute, created_at, expires_at, last_used_at, revoked_at)
       VALUES ($id, $name, $prefix, $digest, $scopes, $models, $provider, $worker_name, $max_slots, $max_concurrent,
         $requests_per_minute, $created_at, $expires_at, $last_used_at, $revoked_at)`,
    ),
    list: database.query<KeyRow, []>(`SELECT ${COLUMNS} FROM api_keys ORDER BY created_at, rowid`),
    version: database.query<{ data_version: number }, []>("PRAGMA data_version"),
    find: database.query<KeyRow, { digest: Uint8Array }>(`SELECT ${COLUMNS} FROM api_keys WHERE digest = $digest`),
    revoke: database.query("UPDATE api_keys SET revoked_at = coalesce(revoked_at, $at) WHERE id = $id"),
    touch: database.query("UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, 0), $at) WHERE id = $id"),
  };
}

const COLUMNS = `id, name, prefix, lower(hex(digest)) AS digest, scopes, models, provider, worker_name, max_slots, max_concurrent,
  requests_per_minute, created_at, expires_at, last_used_at, revoked_at`;

/** This waits neither for another writer nor for the disk: a lost note of a use costs nothing. */
function touchAll(database: Database, touch: Statements["touch"], uses: ReadonlyMap<string, number>): void {
  database.run("PRAGMA synchronous = NORMAL");
  try {
    database
      .transaction(() => {
        for (const [id, at] of uses) touch.run({ id, at });
      })
      .immediate();
  } finally {
    database.run("PRAGMA synchronous = FULL");
  }
}

function isBusy(error: unknown): boolean {
  return codeOf(error).startsWith("SQLITE_BUSY");
}

/** In place of whatever SQLite throws. */
function unavailable(error: unknown): StoreUnavailable {
  if (error instanceof StoreUnavailable) return error;
  return new StoreUnavailable(reasonFor(codeOf(error)), error);
}

function reasonFor(code: string): string {
  if (code === "SQLITE_FULL") return "The disk that holds the key database is full.";
  if (code.startsWith("SQLITE_BUSY")) return "The key database is locked by another program.";
  if (code.startsWith("SQLITE_READONLY")) return "The key database may not be written to.";
  if (code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB") return "The key database is damaged.";
  return `The key database could not be used (${code === "" ? "unknown reason" : code}).`;
}
