// One log line as text for people or as JSON for programs.
import type { LogFields, LogLevel } from "../../base/log.ts";
import { printable } from "../../base/printable.ts";

export type LogFormat = "text" | "json";

export interface LogEntry {
  readonly unixMs: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** Without the line break. `isColoured` applies to text only. */
export function formatLogLine(entry: LogEntry, format: LogFormat, isColoured: boolean): string {
  return format === "json" ? toJsonLine(entry) : toTextLine(entry, isColoured);
}

/** Fields cannot replace these, which programs rely on. */
const RESERVED = new Set(["time", "level", "message"]);

const COLOURS = { trace: 90, debug: 36, info: 32, warn: 33, error: 31 } as const satisfies Record<LogLevel, number>;
const GREY = 90;

type FieldValue = LogFields[string];

function toTextLine({ unixMs, level, message, fields }: LogEntry, isColoured: boolean): string {
  const paint = (code: number, text: string) => (isColoured ? `\u001b[${code}m${text}\u001b[39m` : text);
  const time = paint(GREY, new Date(unixMs).toISOString());
  let line = `${time} ${paint(COLOURS[level], level.toUpperCase().padEnd(5))} ${printable(message)}`;
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) line += ` ${paint(GREY, `${printable(name)}=`)}${toTextValue(value)}`;
  }
  return line;
}

function toTextValue(value: NonNullable<FieldValue> | null): string {
  const text = printable(toText(value));
  const isBare = /^[^\s"'=\\]+$/.test(text);
  // A backslash that the escaping itself put there must not be doubled, so only quotes are escaped inside the quotes.
  return isBare ? text : `"${text.replaceAll('"', '\\"')}"`;
}

function toJsonLine({ unixMs, level, message, fields }: LogEntry): string {
  const line: Record<string, unknown> = { time: new Date(unixMs).toISOString(), level, message: printable(message) };
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const key = printable(name);
    const isPlain = typeof value === "number" || typeof value === "boolean" || value === null;
    line[RESERVED.has(key) ? `field_${key}` : key] = isPlain ? value : printable(toText(value));
  }
  return JSON.stringify(line);
}

function toText(value: NonNullable<FieldValue> | null): string {
  return typeof value === "object" && value !== null ? value.join(",") : String(value);
}
