// The kinds of values options take: how each is read from text, what a refusal says it should have been, how it is shown.
import * as v from "valibot";
import { MODEL_NAME_MAX_CHARS, MODELS_MAX } from "../../protocol/limits.ts";
import { isAddressRange } from "../../edge/peer-address.ts";
import { nearestNames } from "../../base/nearest.ts";
import type { Outcome, ValueKind } from "./option.ts";

/** A whole number. */
export function count(min: number, max: number): ValueKind<number> {
  const schema = v.pipe(v.string(), v.regex(/^\d{1,15}$/), v.transform(Number), v.minValue(min), v.maxValue(max));
  return kind("number", `a whole number from ${min} to ${max}`, schema, String);
}

/** Seconds, whole or decimal, read into whole milliseconds. */
export function seconds(min: number, max = SECONDS_MAX): ValueKind<number> {
  const schema = v.pipe(
    v.string(),
    v.regex(/^\d{1,9}(\.\d{1,9})?$/),
    v.transform((text) => Math.round(Number(text) * 1000)),
    v.minValue(min * 1000),
    v.maxValue(max * 1000),
  );
  return kind("seconds", `a number of seconds from ${min} to ${max}`, schema, (ms) => String(ms / 1000));
}

/** Tokens a second and the like: a decimal number. */
export function rate(min: number, max: number): ValueKind<number> {
  const schema = v.pipe(v.string(), v.regex(/^\d{1,9}(\.\d{1,9})?$/), v.transform(Number), v.minValue(min), v.maxValue(max));
  return kind("number", `a number from ${min} to ${max}`, schema, String);
}

/** Mebibytes, read into bytes. */
export function megabytes(min: number, max: number): ValueKind<number> {
  const schema = v.pipe(
    v.string(),
    v.regex(/^\d{1,6}$/),
    v.transform((text) => Number(text) * MIB),
    v.minValue(min * MIB),
    v.maxValue(max * MIB),
  );
  return kind("MiB", `a whole number of MiB from ${min} to ${max}`, schema, (bytes) => String(bytes / MIB));
}

/** On or off. */
export function flag(): ValueKind<boolean> {
  const words = new Map([...TRUE_WORDS.map((word) => [word, true] as const), ...FALSE_WORDS.map((word) => [word, false] as const)]);
  const schema = v.pipe(
    v.string(),
    v.toLowerCase(),
    v.check((word) => words.has(word)),
    v.transform((word) => words.get(word) === true),
  );
  return { ...kind("", "true or false", schema, String), shape: "switch" };
}

/** One line of text. */
export function text(hint: string, maxChars: number): ValueKind<string> {
  return kind(hint, `a text of 1 to ${maxChars} characters on one line`, line(maxChars), String);
}

/** A path in the file system; whether it can be used is found out by using it. */
export function path(): ValueKind<string> {
  return { ...kind("path", "a path", line(4_096), String), completes: "path" };
}

/** One of a few words. */
export function oneOf<const W extends string>(words: readonly W[]): ValueKind<W> {
  const base = kind(words.join("|"), `one of ${words.join(", ")}`, v.pipe(v.string(), v.toLowerCase(), v.picklist(words)), String);
  return { ...base, parse: (word) => withNearest(base.parse(word), word, words), completes: words };
}

/** Model names. */
export function models(): ValueKind<readonly string[]> {
  const expects = `at most ${MODELS_MAX} model names of 1 to ${MODEL_NAME_MAX_CHARS} characters, separated by commas`;
  return list("names", expects, line(MODEL_NAME_MAX_CHARS));
}

/** Names of HTTP headers, in lower case; those that belong to one connection cannot be passed on. */
export function headerNames(): ValueKind<readonly string[]> {
  const name = v.pipe(v.string(), v.toLowerCase(), v.regex(/^[!#$%&'*+.^_`|~0-9a-z-]{1,256}$/), v.check(isForwardable));
  return list("name", "a header name that may be passed on (not one of the connection itself, as host or content-length)", name);
}

/** Origins of web pages, as browsers send them: no path, no default port. */
export function origins(): ValueKind<readonly string[]> {
  const origin = v.pipe(
    v.string(),
    v.regex(/^https?:\/\/[^/?#@]+\/?$/i),
    v.transform(toUrl),
    v.instance(URL),
    v.transform((url) => url.origin),
  );
  return list("origin", "an origin such as https://app.example.com", origin);
}

/** Addresses and ranges of addresses. */
export function addressRanges(): ValueKind<readonly string[]> {
  const range = v.pipe(v.string(), v.check(isAddressRange));
  return list("CIDR", "an address or a range such as 10.0.0.0/8 or fd00::/8", range);
}

/** Host names as a browser puts them into `Host`, in lower case and without the port. */
export function hostNames(): ValueKind<readonly string[]> {
  const name = v.pipe(v.string(), v.toLowerCase(), v.regex(/^([a-z0-9._-]{1,253}|\[[0-9a-f:.]+\])$/));
  return list("host", "a host name without scheme and port, such as relay.lan", name);
}

/** A secret; what makes one unusable is told apart in secrets.ts. */
export function secret(): ValueKind<string> {
  return { ...kind("secret", "a secret", v.string(), () => "(secret)"), shape: "secret" };
}

function list(hint: string, expects: string, item: v.GenericSchema<string, string>): ValueKind<readonly string[]> {
  const schema = v.pipe(v.string(), v.transform(splitList), v.array(item), v.minLength(1), v.maxLength(MODELS_MAX));
  return {
    ...kind<readonly string[]>(hint, expects, schema, (items) => (items.length === 0 ? "none" : items.join(","))),
    shape: "many",
  };
}

export function kind<V>(hint: string, expects: string, schema: v.GenericSchema<string, V>, show: (value: V) => string): ValueKind<V> {
  return { hint, expects, shape: "one", show, parse: (text) => toOutcome(v.safeParse(schema, text.trim())) };
}

/** A parsed URL, or undefined: for schemas that go on with `v.instance(URL)`. */
export function toUrl(text: string): URL | undefined {
  return URL.parse(text) ?? undefined;
}

function withNearest<V>(outcome: Outcome<V>, word: string, words: readonly string[]): Outcome<V> {
  const [nearest] = outcome.ok ? [] : nearestNames(word, words, 1);
  return nearest === undefined ? outcome : { ok: false, advice: `did you mean ${nearest}?` };
}

// Timers hold at most 2^31 ms: 24 whole days are the longest wait there is.
const SECONDS_MAX = 24 * 24 * 3600;
const MIB = 1024 * 1024;
const TRUE_WORDS = ["true", "1", "yes", "on"];
const FALSE_WORDS = ["false", "0", "no", "off"];
// Those of one connection, and the one that carries the worker secret.
const NOT_FORWARDABLE =
  /^(?:host|connection|keep-alive|upgrade|trailer|te|transfer-encoding|content-length|content-encoding|expect|proxy-.*|x-worker-secret)$/;

function isForwardable(name: string): boolean {
  return !NOT_FORWARDABLE.test(name);
}

function line(maxChars: number) {
  // eslint-disable-next-line no-control-regex -- control characters are what it is about
  return v.pipe(v.string(), v.minLength(1), v.maxLength(maxChars), v.regex(/^[^\u0000-\u001f\u007f-\u009f]*$/));
}

function splitList(text: string): string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

function toOutcome<V>(result: { readonly success: true; readonly output: V } | { readonly success: false }): Outcome<V> {
  return result.success ? { ok: true, value: result.output } : { ok: false };
}
