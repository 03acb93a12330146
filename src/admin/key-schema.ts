// A key as the API takes and shows it: these schemas check what operators send, and the OpenAPI document is made of them.
import * as v from "valibot";
import { MODEL_NAME_MAX_CHARS, MODELS_MAX, SLOTS_MAX, WORKER_NAME_MAX_CHARS } from "../protocol/limits.ts";
import { type ApiKey, type KeyTerms, type Scope, SCOPES } from "../store/api-key.ts";

export const KEY_NAME_MAX_CHARS = 128;
export const PROVIDER_MAX_CHARS = 128;
/** More than any one key is allowed to do; keeps numbers whole in every store. */
export const KEY_LIMIT_MAX = 1_000_000;
/** The last second of the year 9999. */
const EXPIRY_MAX_UNIX_SECS = 253_402_300_799;

// No control characters, and something besides blanks. Everything else is data.
// oxlint-disable-next-line no-control-regex -- control characters are what it is about
const ONE_LINE = /^(?=.*\S)[^\u0000-\u001f\u007f-\u009f]*$/;

/** The description of each field ends the refusal "Field 'x' must be ...". */
export const NewKey = v.strictObject({
  name: describe(line(KEY_NAME_MAX_CHARS), `a text of 1 to ${KEY_NAME_MAX_CHARS} characters on one line`),
  scopes: describe(
    v.optional(v.pipe(v.array(v.picklist(SCOPES)), v.minLength(1), v.maxLength(SCOPES.length)), ["infer"]),
    `a list of one or more of ${SCOPES.join(", ")}`,
  ),
  models: describe(
    v.nullish(v.pipe(v.array(line(MODEL_NAME_MAX_CHARS)), v.minLength(1), v.maxLength(MODELS_MAX)), null),
    `a list of 1 to ${MODELS_MAX} model names or patterns with * of at most ${MODEL_NAME_MAX_CHARS} characters, or null for every model`,
  ),
  provider: describe(
    v.nullish(line(PROVIDER_MAX_CHARS), null),
    `a text of 1 to ${PROVIDER_MAX_CHARS} characters on one line, or null for any provider`,
  ),
  worker_name: describe(
    v.nullish(line(WORKER_NAME_MAX_CHARS), null),
    `a text of 1 to ${WORKER_NAME_MAX_CHARS} characters on one line, or null for the name the worker gives itself`,
  ),
  max_slots: describe(
    v.nullish(whole(1, SLOTS_MAX), null),
    `a whole number from 1 to ${SLOTS_MAX}, or null for as many as the worker asks for`,
  ),
  max_concurrent: describe(v.nullish(whole(1, KEY_LIMIT_MAX), null), `a whole number from 1 to ${KEY_LIMIT_MAX}, or null for no limit`),
  requests_per_minute: describe(
    v.nullish(whole(1, KEY_LIMIT_MAX), null),
    `a whole number from 1 to ${KEY_LIMIT_MAX}, or null for no limit`,
  ),
  expires_at: describe(
    v.nullish(whole(0, EXPIRY_MAX_UNIX_SECS), null),
    "a time in the future in whole Unix seconds, or null for a key that does not expire",
  ),
});

/** Which scopes a field means something for; the others take every one. */
export const FIELD_SCOPES: ReadonlyMap<keyof v.InferOutput<typeof NewKey>, readonly Scope[]> = new Map([
  ["models", ["infer", "worker"]],
  ["provider", ["worker"]],
  ["worker_name", ["worker"]],
  ["max_slots", ["worker"]],
  ["max_concurrent", ["infer"]],
  ["requests_per_minute", ["infer"]],
]);

export const Key = v.object({
  id: v.string(),
  name: v.string(),
  prefix: describe(v.string(), "the beginning of the secret, to tell keys apart by"),
  scopes: v.array(v.picklist(SCOPES)),
  models: v.nullable(v.array(v.string())),
  provider: v.nullable(v.string()),
  worker_name: v.nullable(v.string()),
  max_slots: v.nullable(v.number()),
  max_concurrent: v.nullable(v.number()),
  requests_per_minute: v.nullable(v.number()),
  created_at: unixSecs(),
  expires_at: v.nullable(unixSecs()),
  last_used_at: v.nullable(unixSecs()),
  revoked: v.boolean(),
  revoked_at: v.nullable(unixSecs()),
});

export const CreatedKey = v.object({
  ...Key.entries,
  secret: describe(v.string(), "the key itself; it is shown this once and stored nowhere"),
});

export const KeyList = v.object({ keys: v.array(Key) });

export function toKey(key: ApiKey): v.InferOutput<typeof Key> {
  return {
    id: key.id,
    name: key.name,
    prefix: key.prefix,
    scopes: [...key.scopes],
    models: key.models === null ? null : [...key.models],
    provider: key.provider,
    worker_name: key.workerName,
    max_slots: key.maxSlots,
    max_concurrent: key.maxConcurrent,
    requests_per_minute: key.requestsPerMinute,
    created_at: key.createdAt,
    expires_at: key.expiresAt,
    last_used_at: key.lastUsedAt,
    revoked: key.revokedAt !== null,
    revoked_at: key.revokedAt,
  };
}

export function toTerms(body: v.InferOutput<typeof NewKey>): KeyTerms {
  return {
    name: body.name,
    scopes: [...new Set(body.scopes)],
    models: body.models,
    provider: body.provider,
    workerName: body.worker_name,
    maxSlots: body.max_slots,
    maxConcurrent: body.max_concurrent,
    requestsPerMinute: body.requests_per_minute,
    expiresAt: body.expires_at,
  };
}

function describe<S extends v.GenericSchema>(schema: S, text: string) {
  return v.pipe(schema, v.description(text));
}

function line(maxChars: number) {
  return v.pipe(v.string(), v.minLength(1), v.maxLength(maxChars), v.regex(ONE_LINE), v.check(isWellFormed));
}

function whole(min: number, max: number) {
  return v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));
}

function unixSecs() {
  return describe(v.number(), "Unix seconds");
}

/** Half of a character could not be stored as it is. */
function isWellFormed(text: string): boolean {
  return text.isWellFormed();
}
