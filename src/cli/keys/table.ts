// Keys as a table; the name gives way when there is not enough room.
import type * as v from "valibot";
import type { Key } from "../../admin/key-schema.ts";
import { printable } from "../../base/printable.ts";
import { type Column, renderTable } from "../columns.ts";

type KeyBody = v.InferOutput<typeof Key>;

/** Every id begins differently from this many characters on, or more. */
export const SHORT_ID_CHARS = 8;

/** The head and one line for each of `keys`; ids are cut as far as they are unique among `known`. Times are in UTC. */
export function renderKeys(keys: readonly KeyBody[], known: readonly KeyBody[], nowMs: number, width: number): readonly string[] {
  const idChars = uniqueChars(known.map(({ id }) => id));
  const rows = keys.map((key) => cellsOf(key, idChars, nowMs));
  return renderTable(columnsFor(rows, width), rows, width);
}

/** The name gives way first, then whole columns do. */
function columnsFor(rows: readonly (readonly string[])[], width: number): readonly Column[] {
  const widths = COLUMNS.map(({ head }, at) => Math.max(head.length, ...rows.map((row) => Bun.stringWidth(row[at] ?? ""))));
  const others = widths.reduce((sum, chars, at) => sum + (at === NAME_COLUMN ? 0 : chars + GAP_CHARS), 0);
  return COLUMNS.map((column, at) => (at === NAME_COLUMN ? { ...column, maxChars: Math.max(NAME_MIN, width - others) } : column));
}

const COLUMNS: readonly Column[] = [
  { head: "ID", rank: 1 },
  { head: "NAME", rank: 1 },
  { head: "PREFIX", rank: 5 },
  { head: "SCOPES", rank: 3 },
  { head: "CREATED", rank: 6 },
  { head: "LAST USED", rank: 4 },
  { head: "EXPIRES", rank: 2 },
  { head: "STATE", rank: 1 },
];
const NAME_COLUMN = 1;
const NAME_MIN = 16;
const GAP_CHARS = 2;

function cellsOf(key: KeyBody, idChars: number, nowMs: number): readonly string[] {
  const { id, name, prefix, scopes, created_at, last_used_at, expires_at } = key;
  const days = [day(created_at), day(last_used_at), endOf(expires_at, nowMs)];
  return [printable(id.slice(0, idChars)), printable(name), printable(prefix), scopes.join(","), ...days, stateOf(key, nowMs)];
}

function stateOf({ revoked, expires_at }: KeyBody, nowMs: number): string {
  if (revoked) return "revoked";
  return expires_at !== null && expires_at * 1000 <= nowMs ? "expired" : "active";
}

/** A day alone would say too little of an end that is near, or was just now. */
function endOf(unixSecs: number | null, nowMs: number): string {
  if (unixSecs === null) return day(null);
  const leftSecs = unixSecs - nowMs / 1000;
  if (leftSecs > 0 && leftSecs < HOUR_SECS) return `in ${Math.max(1, Math.round(leftSecs / 60))} min`;
  if (Math.abs(leftSecs) >= 2 * DAY_SECS) return day(unixSecs);
  return `${new Date(unixSecs * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

const HOUR_SECS = 3_600;
const DAY_SECS = 86_400;

function day(unixSecs: number | null): string {
  return unixSecs === null ? "never" : new Date(unixSecs * 1000).toISOString().slice(0, 10);
}

function uniqueChars(ids: readonly string[]): number {
  const longest = Math.max(0, ...ids.map((id) => id.length));
  let chars = SHORT_ID_CHARS;
  while (chars < longest && new Set(ids.map((id) => id.slice(0, chars))).size < ids.length) chars++;
  return chars;
}
