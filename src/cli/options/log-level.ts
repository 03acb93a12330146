// Reads a log level, plain or as directives (`info,modelrelay=debug,hyper=warn`), as unit files of many programs carry them.
import type { LogLevel } from "../../base/log.ts";
import { nearestNames } from "../../base/nearest.ts";
import type { Outcome, ValueKind } from "./option.ts";

export type LogThreshold = LogLevel | "off";

export const LOG_THRESHOLDS: readonly LogThreshold[] = ["off", "error", "warn", "info", "debug", "trace"];

/**
 * `names` are those a directive may use for this program; the level of a named directive beats a plain one.
 * Directives for other programs mean nothing and change nothing; when a flag holds only such, `fallback` applies.
 */
export function logLevel(names: readonly string[], fallback: LogThreshold): ValueKind<LogThreshold> {
  return {
    hint: "level",
    expects: `a log level (${LOG_THRESHOLDS.join(", ")}) or a list of directives such as ${names[0]}=debug`,
    shape: "one",
    completes: LOG_THRESHOLDS,
    show: String,
    parse: (text) => parseStrictly(readDirectives(text, names), fallback),
    parseForgiving: (text) => readDirectives(text, names).level,
  };
}

interface Directives {
  /** What the directives for this program come to; null: there are none. */
  readonly level: LogThreshold | null;
  /** The first word that should have been a level and is not. */
  readonly wrongWord: string | null;
}

/** The last directive wins among equals, as in other programs that read such lists. */
function readDirectives(text: string, names: readonly string[]): Directives {
  let plain: LogThreshold | null = null;
  let named: LogThreshold | null = null;
  let wrongWord: string | null = null;
  for (const directive of text.split(",").map((part) => part.trim())) {
    if (directive === "") continue;
    const equals = directive.indexOf("=");
    const name = equals === -1 ? null : directive.slice(0, equals).trim();
    const word = directive.slice(equals + 1).trim();
    const level = toThreshold(word);
    // (1) A name of another program. (2) One of ours, with or without a level. (3) A plain level. (4) Nonsense.
    if (name !== null && !names.includes(name)) continue;
    else if (name === null && names.includes(word)) named = "trace";
    else if (name !== null && level !== null) named = level;
    else if (level !== null) plain = level;
    else wrongWord ??= word;
  }
  return { level: named ?? plain, wrongWord };
}

function parseStrictly({ level, wrongWord }: Directives, fallback: LogThreshold): Outcome<LogThreshold> {
  if (wrongWord === null) return { ok: true, value: level ?? fallback };
  const [nearest] = nearestNames(wrongWord, LOG_THRESHOLDS, 1);
  return nearest === undefined ? { ok: false } : { ok: false, advice: `did you mean ${nearest}?` };
}

function toThreshold(word: string): LogThreshold | null {
  const lower = word.toLowerCase();
  return LOG_THRESHOLDS.find((level) => level === lower || (level === "warn" && lower === "warning")) ?? null;
}
