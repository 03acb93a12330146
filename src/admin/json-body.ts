// Takes in the small JSON bodies operators send: bounded in size and time, and every field checked before anything is done.
import * as v from "valibot";
import type { Clock } from "../base/clock.ts";
import { RelayError } from "../base/errors.ts";
import { nearestNames } from "../base/nearest.ts";

/** The largest key there can be has a list of 256 model patterns of 256 characters. */
const BODY_MAX_BYTES = 64 * 1024;
const BODY_DEADLINE_MS = 10_000;

type ObjectSchema = v.StrictObjectSchema<v.ObjectEntries, undefined>;

/** @throws RelayError unsupported_encoding, body_too_large, body_timeout, or invalid_request naming the field and what it may be */
export async function readJsonBody<S extends ObjectSchema>(request: Request, schema: S, clock: Clock): Promise<v.InferOutput<S>> {
  const encoding = request.headers.get("content-encoding")?.trim().toLowerCase() ?? "";
  if (encoding !== "" && encoding !== "identity") throw new RelayError("unsupported_encoding");
  if (Number(request.headers.get("content-length") ?? 0) > BODY_MAX_BYTES) throw tooLarge();
  const result = v.safeParse(schema, parse(await readBytes(request, clock)), { abortEarly: true });
  if (result.success) return result.output;
  throw new RelayError("invalid_request", explain(schema, result.issues[0]));
}

/** Says which field cannot be used and what it may be. */
export function invalidField(schema: ObjectSchema, field: string): RelayError {
  return new RelayError("invalid_request", `Field '${field}' must be ${allowedIn(schema, field)}.`);
}

async function readBytes(request: Request, clock: Clock): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array();
  const reader = request.body.getReader();
  let isLate = false;
  const timer = clock.startTimer(BODY_DEADLINE_MS, () => {
    isLate = true;
    void reader.cancel().catch(() => {});
  });
  const chunks: Uint8Array[] = [];
  let received = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (isLate) throw new RelayError("body_timeout");
      if (done) return Buffer.concat(chunks, received);
      received += value.byteLength;
      if (received > BODY_MAX_BYTES) throw tooLarge();
      chunks.push(value);
    }
  } catch (error) {
    void reader.cancel().catch(() => {});
    throw error instanceof RelayError ? error : new RelayError("invalid_request", "The upload broke off.");
  } finally {
    timer.stop();
  }
}

function parse(bytes: Uint8Array): object {
  const value = parseAny(bytes);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new RelayError("invalid_request", "The body must be one JSON object.");
}

function parseAny(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new RelayError("invalid_request", "The body is not JSON in UTF-8.");
  }
}

/** 1. a field nobody knows  2. a field that is missing or not what it may be */
function explain(schema: ObjectSchema, issue: v.BaseIssue<unknown>): string {
  const field = String(issue.path?.[0]?.key);
  const known = Object.keys(schema.entries);
  if (!known.includes(field)) {
    const [nearest] = nearestNames(field, known, 1);
    const advice = nearest === undefined ? `The fields are ${known.join(", ")}.` : `Did you mean '${nearest}'?`;
    return `There is no field '${field.slice(0, FIELD_SHOWN_CHARS)}'. ${advice}`; // (1)
  }
  return `Field '${field}' must be ${allowedIn(schema, field)}.`; // (2)
}

function allowedIn(schema: ObjectSchema, field: string): string {
  const entry = schema.entries[field];
  return entry === undefined ? "left out" : (v.getDescription(entry) ?? "of another kind");
}

function tooLarge(): RelayError {
  return new RelayError("body_too_large", `The limit is ${BODY_MAX_BYTES / 1024} KiB.`);
}

/** The sender's own words, but not all of them. */
const FIELD_SHOWN_CHARS = 64;
