// Every option of `modelrelay keys create`, `keys list` and `keys revoke`.
import * as v from "valibot";
import { KEY_LIMIT_MAX, KEY_NAME_MAX_CHARS, PROVIDER_MAX_CHARS } from "../../admin/key-schema.ts";
import { SLOTS_MAX, WORKER_NAME_MAX_CHARS } from "../../protocol/limits.ts";
import { type Scope, SCOPES } from "../../store/api-key.ts";
import { count, flag, kind, models, text } from "../options/kinds.ts";
import { option, type Outcome, type ValueKind } from "../options/option.ts";
import { jsonOption } from "../options/standard.ts";
import { adminTokenOptions, relayOptions } from "../relay/options.ts";

const EVERY = "The relay";
const CREATE = "The key";

const RELAY_OPTIONS = {
  ...relayOptions(EVERY, 10_000),
  ...adminTokenOptions(EVERY, "required"),
  json: jsonOption(EVERY),
};

export const CREATE_OPTIONS = {
  ...RELAY_OPTIONS,
  name: option({
    flag: "name",
    variables: [],
    kind: text("name", KEY_NAME_MAX_CHARS),
    fallback: null,
    fallbackText: "required",
    group: CREATE,
    help: "What the key is called in lists and logs.",
  }),
  scopes: option<readonly Scope[]>({
    flag: "scope",
    variables: [],
    kind: scopes(),
    fallback: ["infer"],
    group: CREATE,
    help: "What the key opens: the client routes, the worker socket, the admin API; repeatable.",
  }),
  expires: option({
    flag: "expires",
    variables: [],
    kind: expiry(),
    fallback: null,
    fallbackText: "never",
    group: CREATE,
    help: "When the key ends by itself: after a time such as 30d, or at a date (0:00 UTC) or moment.",
  }),
  models: option({
    flag: "model",
    variables: [],
    kind: models(),
    fallback: null,
    fallbackText: "every model",
    group: CREATE,
    help: "A model the key may use or its worker may offer, or a pattern such as llama*; repeatable.",
  }),
  maxConcurrent: option({
    flag: "max-concurrent",
    variables: [],
    kind: count(1, KEY_LIMIT_MAX),
    fallback: null,
    fallbackText: "no limit",
    group: CREATE,
    help: "Requests of the key that may run at a time; more of them wait.",
  }),
  requestsPerMinute: option({
    flag: "rpm",
    variables: [],
    kind: count(1, KEY_LIMIT_MAX),
    fallback: null,
    fallbackText: "no limit",
    group: CREATE,
    help: "Requests the key may send in a minute; more of them are refused.",
  }),
  provider: option({
    flag: "provider",
    variables: [],
    kind: text("name", PROVIDER_MAX_CHARS),
    fallback: null,
    fallbackText: "any",
    group: CREATE,
    help: "Of a worker's key: the provider it may register with.",
  }),
  workerName: option({
    flag: "worker-name",
    variables: [],
    kind: text("name", WORKER_NAME_MAX_CHARS),
    fallback: null,
    fallbackText: "its own",
    group: CREATE,
    help: "Of a worker's key: what the worker is called, whatever it says itself.",
  }),
  maxSlots: option({
    flag: "max-slots",
    variables: [],
    kind: count(1, SLOTS_MAX),
    fallback: null,
    fallbackText: "no limit",
    group: CREATE,
    help: "Of a worker's key: requests the worker may be given at a time.",
  }),
};

export const LIST_OPTIONS = {
  ...RELAY_OPTIONS,
  all: option({
    flag: "all",
    variables: [],
    kind: flag(),
    fallback: false,
    group: EVERY,
    help: "Show revoked keys too.",
  }),
};

export const REVOKE_OPTIONS = RELAY_OPTIONS;

/** Seconds from now, or Unix seconds. */
export type Expiry = { readonly kind: "after"; readonly secs: number } | { readonly kind: "at"; readonly unixSecs: number };

function scopes(): ValueKind<readonly Scope[]> {
  const split = (text: string) => text.split(",").map((word) => word.trim().toLowerCase());
  const schema = v.pipe(v.string(), v.transform(split), v.array(v.picklist(SCOPES)), v.minLength(1));
  const show = (scopes: readonly Scope[]) => scopes.join(",");
  const expects = `one or more of ${SCOPES.join(", ")}, separated by commas`;
  return { ...kind<readonly Scope[]>("scope", expects, schema, show), shape: "many", completes: SCOPES };
}

function expiry(): ValueKind<Expiry> {
  return {
    hint: "when",
    expects: "a time from now such as 90m, 12h, 30d or 4w, a date such as 2027-01-31, or a moment such as 2027-01-31T12:00:00Z",
    shape: "one",
    parse: parseExpiry,
    show: (when) => (when.kind === "after" ? `${when.secs}s` : new Date(when.unixSecs * 1000).toISOString()),
  };
}

/** 1. a time from now  2. a date or a moment with its time zone  3. a date the calendar does not have, or anything else */
function parseExpiry(text: string): Outcome<Expiry> {
  const trimmed = text.trim();
  const [, number, unit] = /^(\d{1,6})([mhdw])$/.exec(trimmed) ?? [];
  const secs = Number(number) * (UNIT_SECS.get(unit ?? "") ?? 0);
  if (secs > 0) return { ok: true, value: { kind: "after", secs } }; // (1)
  const [, day] = /^(\d{4}-\d\d-\d\d)(?:T\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d))?$/.exec(trimmed) ?? [];
  const [ms, dayMs] = [Date.parse(trimmed), Date.parse(day ?? "")];
  const isDay = !Number.isNaN(ms) && !Number.isNaN(dayMs) && new Date(dayMs).toISOString().startsWith(day ?? "");
  return isDay ? { ok: true, value: { kind: "at", unixSecs: Math.floor(ms / 1000) } } : { ok: false }; // (2) (3)
}

const UNIT_SECS: ReadonlyMap<string, number> = new Map([
  ["m", 60],
  ["h", 3_600],
  ["d", 86_400],
  ["w", 7 * 86_400],
]);
