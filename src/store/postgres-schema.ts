// The key table in Postgres: made where it is missing, taken over with its keys where an earlier installation left one.
import type { SQL, TransactionSQL } from "bun";
import { UsageError } from "../base/errors.ts";

/** The name earlier installations gave it; they can go on beside this one, because every column of ours has a default. */
export const TABLE = "server_api_keys";

/** What the earlier table has already. */
const BASE_COLUMNS: ReadonlyMap<string, string> = new Map([
  ["id", "uuid"],
  ["name", "text"],
  ["prefix", "text"],
  ["hash", "bytea"],
  ["created_at", "timestamp with time zone"],
  ["last_used_at", "timestamp with time zone"],
  ["revoked_at", "timestamp with time zone"],
]);

const ADDED_COLUMNS: ReadonlyMap<string, string> = new Map([
  ["scopes", "text[] NOT NULL DEFAULT '{infer}'"],
  ["models", "text[]"],
  ["provider", "text"],
  ["worker_name", "text"],
  ["max_slots", "integer"],
  ["max_concurrent", "integer"],
  ["requests_per_minute", "integer"],
  ["expires_at", "timestamptz"],
]);

/** Waiting for other relays that start now, and for the table to be free. */
export const SCHEMA_DEADLINE_MS = 30_000;

/** Safe to call from many relays at once: one does it, the others find it done. @throws UsageError for a table that is not ours */
export async function ensureKeyTable(sql: SQL): Promise<void> {
  await sql.begin(async (tx) => {
    await tx.unsafe(`SET LOCAL statement_timeout = ${SCHEMA_DEADLINE_MS}`);
    await tx`SELECT pg_advisory_xact_lock(${SCHEMA_LOCK})`;
    const columns = await columnsOf(tx);
    if (columns.size === 0) return await createTable(tx);
    checkTaken(columns);
    // Only when something is missing: ALTER TABLE waits for every reader, and needs rights that a later start may not have.
    const missing = [...ADDED_COLUMNS].filter(([name]) => !columns.has(name));
    for (const [name, type] of missing) await tx.unsafe(`ALTER TABLE ${TABLE} ADD COLUMN IF NOT EXISTS ${name} ${type}`);
    if (!(await hasDigestIndex(tx))) await createDigestIndex(tx);
  });
}

// Any number will do as long as nobody else takes it ("mrel").
const SCHEMA_LOCK = 0x6d72656c;

async function columnsOf(tx: TransactionSQL): Promise<ReadonlyMap<string, string>> {
  const rows: readonly { readonly name: string; readonly type: string }[] = await tx`
    SELECT attname::text AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
    WHERE attrelid = to_regclass(${TABLE}::text) AND attnum > 0 AND NOT attisdropped`;
  return new Map(rows.map(({ name, type }) => [name, type]));
}

async function createTable(tx: TransactionSQL): Promise<void> {
  const added = [...ADDED_COLUMNS].map(([name, type]) => `${name} ${type}`).join(", ");
  await tx.unsafe(`CREATE TABLE ${TABLE} (
    id uuid PRIMARY KEY, name text NOT NULL, prefix text NOT NULL, hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(), last_used_at timestamptz, revoked_at timestamptz, ${added})`);
  await createDigestIndex(tx);
}

/** Whatever its name: the earlier table may have one of its own. */
async function hasDigestIndex(tx: TransactionSQL): Promise<boolean> {
  const rows: readonly unknown[] = await tx`
    SELECT 1 FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
    WHERE indrelid = to_regclass(${TABLE}::text) AND attname = 'hash' AND indpred IS NULL`;
  return rows.length > 0;
}

async function createDigestIndex(tx: TransactionSQL): Promise<void> {
  await tx.unsafe(`CREATE INDEX IF NOT EXISTS ${TABLE}_by_hash ON ${TABLE} (hash)`);
}

function checkTaken(columns: ReadonlyMap<string, string>): void {
  const [wrong] = [...BASE_COLUMNS].filter(([name, type]) => plainType(columns.get(name)) !== type);
  if (wrong === undefined) return;
  throw new UsageError(
    `DATABASE_URL: the table '${TABLE}' there is not a key table of ModelRelay: its column '${wrong[0]}' should be of type '${wrong[1]}'. ` +
      "Rename that table, or use another database or schema.",
  );
}

/** Variants that hold the same. */
function plainType(type: string | undefined): string | undefined {
  if (type === "character varying") return "text";
  return type === "timestamp without time zone" ? "timestamp with time zone" : type;
}
