// Keys as a table of at most 100 columns; the name gives way when there is not enough room.
import type * as v from "valibot";
import type { Key } from "../../admin/key-schema.ts";
import { printable } from "../../base/printable.ts";
import { fitCell } from "../columns.ts";

type KeyBody = v.InferOutput<typeof Key>;

/** Every id begins differently from this many characters on, or more. */
export const SHORT_ID_CHARS = 8;

const WIDTH = 100;
const GAP = "  ";
const NAME_COLUMN = 1;
const NAME_MIN = 8;

/** The head and one line for each of `keys`; ids are cut as far as they are unique among `known`. Times are days in UTC. */
export function renderKeys(keys: readonly KeyBody[], known: readonly KeyBody[], nowMs: number): readonly string[] {
  const idChars = uniqueChars(known.map(({ id }) => id));
  const rows = [HEAD, ...keys.map((key) => cellsOf(key, idChars, nowMs))];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => Bun.stringWidth(row[column]!))));
  const others = widths.reduce((sum, width) => sum + width, 0) - widths[NAME_COLUMN]! + GAP.length * (HEAD.length - 1);
  widths[NAME_COLUMN] = Math.min(widths[NAME_COLUMN]!, Math.max(NAME_MIN, WIDTH - others));
  return rows.map((row) =>
    row
      .map((cell, column) => fitCell(cell, widths[column]!))
      .join(GAP)
      .trimEnd(),
  );
}

const HEAD = ["ID", "NAME", "PREFIX", "SCOPES", "CREATED", "LAST USED", "EXPIRES", "STATE"] as const;

function cellsOf(key: KeyBody, idChars: number, nowMs: number): readonly string[] {
  const { id, name, prefix, scopes, created_at, last_used_at, expires_at } = key;
  const days = [day(created_at), day(last_used_at), day(expires_at)];
  return [printable(id.slice(0, idChars)), printable(name), printable(prefix), scopes.join(","), ...days, stateOf(key, nowMs)];
}

function stateOf({ revoked, expires_at }: KeyBody, nowMs: number): string {
  if (revoked) return "revoked";
  return expires_at !== null && expires_at * 1000 <= nowMs ? "expired" : "active";
}

function day(unixSecs: number | null): string {
  return unixSecs === null ? "never" : new Date(unixSecs * 1000).toISOString().slice(0, 10);
}

function uniqueChars(ids: readonly string[]): number {
  const longest = Math.max(0, ...ids.map((id) => id.length));
  let chars = SHORT_ID_CHARS;
  while (chars < longest && new Set(ids.map((id) => id.slice(0, chars))).size < ids.length) chars++;
  return chars;
}
