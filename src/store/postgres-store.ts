// Keys in a Postgres database, which several relays may share.
import type { Clock } from "../base/clock.ts";
import { CommandError, UsageError } from "../base/errors.ts";
import { type KeyRow, parseKeyRow, parseKeyRows, toKeyRow } from "./key-row.ts";
import { type KeyStore, StoreUnavailable } from "./key-store.ts";
import { PostgresPool, sqlStateOf } from "./postgres-pool.ts";
import { ensureKeyTable, SCHEMA_DEADLINE_MS, TABLE } from "./postgres-schema.ts";

/**
 * Both name the database, never its password, and say what to do.
 *
 * @throws CommandError when it cannot be used, which may pass: it may start after the relay; UsageError for an address or a table that cannot be right
 */
export async function openPostgresStore(url: string, clock: Clock): Promise<KeyStore> {
  const place = placeOf(url);
  const pool = new PostgresPool(url, clock);
  try {
    await pool.ask(ensureKeyTable, SCHEMA_DEADLINE_MS);
    return createPostgresStore(pool);
  } catch (error) {
    await pool.close();
    if (error instanceof StoreUnavailable && error.cause instanceof UsageError) throw error.cause;
    throw new CommandError(`DATABASE_URL: the database at ${place} cannot be used. ${adviceFor(error)}`);
  }
}

function createPostgresStore(pool: PostgresPool): KeyStore {
  return {
    insert: async (stored) => {
      const row = toKeyRow(stored);
      await pool.ask(
        (sql) => sql`
        INSERT INTO server_api_keys (id, name, prefix, hash, scopes, models, provider, worker_name, max_slots, max_concurrent,
          requests_per_minute, created_at, expires_at, last_used_at, revoked_at)
        VALUES (${row.id}::text::uuid, ${row.name}, ${row.prefix}, decode(${row.digest}::text, 'hex'),
          ARRAY(SELECT jsonb_array_elements_text(${row.scopes}::text::jsonb)),
          CASE WHEN ${row.models}::text IS NULL THEN NULL ELSE ARRAY(SELECT jsonb_array_elements_text(${row.models}::text::jsonb)) END,
          ${row.provider}, ${row.worker_name}, ${row.max_slots}, ${row.max_concurrent}, ${row.requests_per_minute},
          to_timestamp(${row.created_at}), to_timestamp(${row.expires_at}), to_timestamp(${row.last_used_at}),
          to_timestamp(${row.revoked_at}))`,
      );
    },
    list: async () => {
      const rows = await pool.ask((sql) =>
        sql.unsafe<KeyRow[]>(`SELECT ${COLUMNS} FROM ${TABLE} WHERE octet_length(hash) = 32 ORDER BY created_at, id`),
      );
      return await parseKeyRows(rows);
    },
    version: async () => {
      const [row] = await pool.ask((sql) => sql.unsafe<{ version: string }[]>(VERSION));
      return row?.version ?? "";
    },
    findByDigest: async (digest) => {
      // Should an earlier table hold it twice, the one that opens less is the one that counts.
      const query = `SELECT ${COLUMNS} FROM ${TABLE} WHERE hash = decode($1::text, 'hex') ORDER BY revoked_at NULLS LAST LIMIT 1`;
      const [row] = await pool.ask((sql) => sql.unsafe<KeyRow[]>(query, [digest]));
      return row === undefined ? null : parseKeyRow(row);
    },
    revoke: async (id, atUnixSecs) => {
      const done = await pool.ask(
        (sql) => sql`
        UPDATE server_api_keys SET revoked_at = coalesce(revoked_at, to_timestamp(${atUnixSecs})) WHERE id::text = ${id} RETURNING 1`,
      );
      return done.length > 0;
    },
    touch: async (uses) => {
      const json = JSON.stringify(Object.fromEntries(uses));
      await pool.ask(
        (sql) => sql`
        UPDATE server_api_keys AS kept SET last_used_at = greatest(kept.last_used_at, to_timestamp(used.at))
        FROM (SELECT key AS id, value::float8 AS at FROM jsonb_each_text(${json}::text::jsonb)) AS used WHERE kept.id::text = used.id`,
      );
    },
    close: () => pool.close(),
  };
}

const epoch = (column: string): string => `extract(epoch FROM ${column})::float8 AS ${column}`;

const COLUMNS = `id::text AS id, coalesce(name, '') AS name, coalesce(prefix, '') AS prefix, encode(hash, 'hex') AS digest,
  to_json(scopes)::text AS scopes, to_json(models)::text AS models, provider, worker_name, max_slots, max_concurrent,
  requests_per_minute, extract(epoch FROM coalesce(created_at, to_timestamp(0)))::float8 AS created_at,
  ${["expires_at", "last_used_at", "revoked_at"].map(epoch).join(", ")}`;

// Everything but the last use, summed up by the server: whoever changed whatever, even by hand, is noticed without sending the table.
const VERSION = `SELECT count(*)::text || ' ' || coalesce(sum(hashtextextended(row(id, name, prefix, hash, scopes, models, provider,
  worker_name, max_slots, max_concurrent, requests_per_minute, expires_at, revoked_at)::text, 0)), 0)::text AS version FROM ${TABLE}`;

/** What may be shown of the address. @throws UsageError */
function placeOf(text: string): string {
  const url = URL.parse(text);
  if (url === null || !["postgres:", "postgresql:"].includes(url.protocol)) {
    throw new UsageError("DATABASE_URL is not the address of a Postgres database (postgres://user:password@host:5432/database).");
  }
  return `${url.host}${url.pathname}`;
}

function adviceFor(error: unknown): string {
  const state = sqlStateOf(error);
  if (state === "3D000") return "There is no database of that name: create it first.";
  // Not allowed, or no schema to be allowed in.
  if (["42501", "3F000"].includes(state)) {
    return `This user may not create or change the table '${TABLE}': let it once, or let its owner start the relay once.`;
  }
  const reason = error instanceof StoreUnavailable ? error.reason : "It could not be opened.";
  return `${reason} Check that it runs, that this machine reaches it, and the user and password.`;
}
