// The tables of the SQLite database and their history: each step leads from one version to the next.
import type { Database } from "bun:sqlite";

/** In the header of our files, so that another program's database is not taken for one of ours ("mrel"). */
export const APPLICATION_ID = 0x6d72656c;

const STEPS: readonly string[] = [
  `CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    scopes TEXT NOT NULL CHECK (json_valid(scopes)),
    models TEXT CHECK (models IS NULL OR json_valid(models)),
    provider TEXT,
    worker_name TEXT,
    max_slots INTEGER,
    max_concurrent INTEGER,
    requests_per_minute INTEGER,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    revoked_at INTEGER
  ) STRICT`,
];

export const SCHEMA_VERSION = STEPS.length;

export function schemaVersionOf(database: Database): number {
  return pragma(database, "user_version");
}

export function applicationIdOf(database: Database): number {
  return pragma(database, "application_id");
}

/** Takes the database to this program's version, whole or not at all. */
export function migrate(database: Database): void {
  if (schemaVersionOf(database) === SCHEMA_VERSION) return;
  database
    .transaction(() => {
      // Read again inside: another process may have been faster.
      for (const step of STEPS.slice(schemaVersionOf(database))) database.run(step);
      database.run(`PRAGMA application_id = ${APPLICATION_ID}`);
      database.run(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    })
    .immediate();
}

function pragma(database: Database, name: "user_version" | "application_id"): number {
  const row = database.query<Record<string, number>, []>(`PRAGMA ${name}`).get();
  return row?.[name] ?? 0;
}
