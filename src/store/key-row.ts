// A row of any database becomes a key here, and nowhere else.
import * as v from "valibot";
import { type ApiKey, type Scope, SCOPES, type StoredKey } from "./api-key.ts";
import { StoreUnavailable } from "./key-store.ts";

const seconds = v.pipe(v.number(), v.transform(Math.floor));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const texts = v.pipe(v.string(), v.parseJson(), v.array(v.string()));

/** Both databases select their columns under these names; lists are JSON, digests hex, times Unix seconds. */
const keyRow = v.object({
  id: v.string(),
  name: v.string(),
  prefix: v.string(),
  digest: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  scopes: texts,
  models: v.nullable(texts),
  provider: v.nullable(v.string()),
  worker_name: v.nullable(v.string()),
  max_slots: v.nullable(count),
  max_concurrent: v.nullable(count),
  requests_per_minute: v.nullable(count),
  created_at: seconds,
  expires_at: v.nullable(seconds),
  last_used_at: v.nullable(seconds),
  revoked_at: v.nullable(seconds),
});

export type KeyRow = v.InferInput<typeof keyRow>;

/** @throws StoreUnavailable for a row that this program did not write. */
export function parseKeyRow(row: unknown): StoredKey {
  const parsed = v.safeParse(keyRow, row);
  if (!parsed.success) throw new StoreUnavailable("A row of the key table cannot be read.", new v.ValiError(parsed.issues));
  const { digest, scopes, worker_name, max_slots, max_concurrent, requests_per_minute, ...same } = parsed.output;
  const { created_at, expires_at, last_used_at, revoked_at, ...rest } = same;
  const key: ApiKey = {
    ...rest,
    // A scope of a later version opens nothing here.
    scopes: scopes.filter(isScope),
    workerName: worker_name,
    maxSlots: max_slots,
    maxConcurrent: max_concurrent,
    requestsPerMinute: requests_per_minute,
    createdAt: created_at,
    expiresAt: expires_at,
    lastUsedAt: last_used_at,
    revokedAt: revoked_at,
  };
  return { key, digest };
}

/** Of a long list a part at a time, so that requests are served between. @throws StoreUnavailable as `parseKeyRow` */
export async function parseKeyRows(rows: readonly unknown[]): Promise<readonly StoredKey[]> {
  const stored: StoredKey[] = [];
  for (let from = 0; from < rows.length; from += ROWS_PER_TURN) {
    if (from > 0) await new Promise<void>((resolve) => setImmediate(resolve));
    for (const row of rows.slice(from, from + ROWS_PER_TURN)) stored.push(parseKeyRow(row));
  }
  return stored;
}

// A few milliseconds.
const ROWS_PER_TURN = 500;

export function toKeyRow({ key, digest }: StoredKey): KeyRow {
  return {
    id: key.id,
    name: key.name,
    prefix: key.prefix,
    digest,
    scopes: JSON.stringify(key.scopes),
    models: key.models === null ? null : JSON.stringify(key.models),
    provider: key.provider,
    worker_name: key.workerName,
    max_slots: key.maxSlots,
    max_concurrent: key.maxConcurrent,
    requests_per_minute: key.requestsPerMinute,
    created_at: key.createdAt,
    expires_at: key.expiresAt,
    last_used_at: key.lastUsedAt,
    revoked_at: key.revokedAt,
  };
}

function isScope(text: string): text is Scope {
  return SCOPES.some((scope) => scope === text);
}
