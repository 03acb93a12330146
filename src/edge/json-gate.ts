// Reads `model` and `stream` from a JSON body and proves that everybody will read them the same way. The bytes stay as they are.
import { isUtf8 } from "node:buffer";
import { RelayError } from "../base/errors.ts";

export interface Routing {
  /** Null when the body names none. */
  readonly model: string | null;
  readonly isStreaming: boolean;
}

const MODEL_MAX_CHARS = 256;
/** Deeper nesting than any client sends, and far from what would hurt a parser. */
const NESTING_MAX = 64;

/**
 * The body must be one JSON object (RFC 8259) in UTF-8, at most 64 levels deep, with `model` and `stream` at most once each and in
 * no other spelling: a backend that takes the other one would run what this relay did not route.
 * @throws RelayError `invalid_request` naming what is wrong
 */
export function readRouting(body: Uint8Array): Routing {
  if (!isUtf8(body)) throw invalid("The body is not UTF-8.");
  const scanner = new Scanner(body);
  const found = scanner.readTopLevel();
  return { model: modelOf(found.get("model")), isStreaming: found.get("stream") === true };
}

function modelOf(value: unknown): string | null {
  if (value === undefined) return null;
  if (typeof value !== "string") throw invalid("'model' must be a string.");
  if (value.length === 0 || value.length > MODEL_MAX_CHARS) throw invalid(`'model' must have 1 to ${MODEL_MAX_CHARS} characters.`);
  return value;
}

function invalid(detail: string): RelayError {
  return new RelayError("invalid_request", detail);
}

const ROUTING_KEYS = new Set(["model", "stream"]);
/** Every way a routing key can stand in the bytes: letters, escapes, and what folds to a letter of theirs (long s, two ligatures). */
const SPELLING = (() => {
  const letter = (name: string): string => `(?:${name}|\\\\u00(?:${hex(name)}|${hex(name.toUpperCase())}))`;
  const s = `(?:${letter("s")}|\\\\u017f|\u00c5\u00bf)`;
  const st = `(?:${s}${letter("t")}|\\\\ufb0[56]|\u00ef\u00ac[\u0085\u0086])`;
  const word = (text: string): string => Array.from(text, letter).join("");
  return new RegExp(`^(?:${word("model")}|${st}${word("ream")})$`, "i");
})();
const SHORTEST_SPELLING_BYTES = 5;
const LONGEST_SPELLING_BYTES = 36;

function hex(letter: string): string {
  return letter.charCodeAt(0).toString(16);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COLON = 0x3a;
const COMMA = 0x2c;
const ZERO = 0x30;

/** Numbers and literals are short; a longer one is looked at by the regular expression all the same, in one go. */
const SCALAR = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;

/** By their first byte. */
const WORDS = new Map(["true", "false", "null"].map((word) => [word.charCodeAt(0), Buffer.from(word)] as const));

/** One pass over the bytes. Strings, which are nearly all of a body, are skipped by native search. */
class Scanner {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(body: Uint8Array) {
    this.#bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  }

  /** The values of the routing keys of the outermost object. */
  readTopLevel(): ReadonlyMap<string, unknown> {
    const found = new Map<string, unknown>();
    this.#skipSpace();
    if (this.#bytes[this.#at] !== OPEN_OBJECT) throw invalid("The body must be a JSON object.");
    this.#at++;
    this.#members((keyFrom, keyTo) => {
      const key = this.#routingKey(keyFrom, keyTo);
      const from = this.#at;
      this.#value(1);
      if (key === null) return;
      if (found.has(key)) throw invalid(`'${key}' is given twice.`);
      const text = this.#bytes.toString("utf8", from, this.#at);
      // Only strings and scalars matter; anything else is told apart by its type alone.
      found.set(key, text.startsWith("{") || text.startsWith("[") ? {} : JSON.parse(text));
    });
    this.#skipSpace();
    if (this.#at !== this.#bytes.length) throw this.#broken();
    return found;
  }

  /** The members of an object whose brace was just read. `readValue` is told where the key stands. */
  #members(readValue: (keyFrom: number, keyTo: number) => void): void {
    this.#skipSpace();
    if (this.#take(CLOSE_OBJECT)) return;
    for (;;) {
      this.#skipSpace();
      const from = this.#at;
      this.#string();
      const to = this.#at;
      this.#skipSpace();
      if (!this.#take(COLON)) throw this.#broken();
      this.#skipSpace();
      readValue(from, to);
      this.#skipSpace();
      if (this.#take(CLOSE_OBJECT)) return;
      if (!this.#take(COMMA)) throw this.#broken();
    }
  }

  #routingKey(from: number, to: number): string | null {
    if (!this.#mayBeRoutingKey(from + 1, to - 1)) return null;
    const key: string = JSON.parse(this.#bytes.toString("utf8", from, to));
    if (ROUTING_KEYS.has(key)) return key;
    // Up and down, so that letters that only fold to ours are found too: some backends take a long s for an s.
    const folded = key.toUpperCase().toLowerCase();
    if (ROUTING_KEYS.has(folded)) throw invalid(`'${folded}' is given in another spelling.`);
    return null;
  }

  /** Tells every other key apart without making much of it: a body may have a hundred thousand. */
  #mayBeRoutingKey(from: number, to: number): boolean {
    const length = to - from;
    if (length > LONGEST_SPELLING_BYTES || length < SHORTEST_SPELLING_BYTES) return false;
    return SPELLING.test(this.#bytes.toString("latin1", from, to));
  }

  /** `depth` is the number of objects and arrays around this value. */
  #value(depth: number): void {
    const byte = this.#bytes[this.#at];
    if (byte === QUOTE) return this.#string();
    if (byte !== OPEN_OBJECT && byte !== OPEN_ARRAY) return this.#scalar();
    if (depth >= NESTING_MAX) throw invalid(`The body is nested deeper than ${NESTING_MAX} levels.`);
    this.#at++;
    if (byte === OPEN_OBJECT) return this.#members(() => this.#value(depth + 1));
    this.#array(depth);
  }

  #array(depth: number): void {
    this.#skipSpace();
    if (this.#take(CLOSE_ARRAY)) return;
    for (;;) {
      this.#skipSpace();
      this.#value(depth + 1);
      this.#skipSpace();
      if (this.#take(CLOSE_ARRAY)) return;
      if (!this.#take(COMMA)) throw this.#broken();
    }
  }

  #scalar(): void {
    const bytes = this.#bytes;
    const from = this.#at;
    let at = from;
    let digits = 0;
    for (; at < bytes.length && isScalarByte(bytes[at]!); at++) if (isDigit(bytes[at]!)) digits++;
    this.#at = at;
    // Whole numbers and words are most of what is not a text.
    if (digits === at - from && digits > 0 && (digits === 1 || bytes[from] !== ZERO)) return;
    if (digits === 0 && this.#isWord(from, at)) return;
    if (!SCALAR.test(this.#bytes.toString("latin1", from, this.#at))) throw this.#broken();
  }

  #isWord(from: number, to: number): boolean {
    const word = WORDS.get(this.#bytes[from]!);
    if (word === undefined || word.length !== to - from) return false;
    for (let index = 1; index < word.length; index++) if (this.#bytes[from + index] !== word[index]) return false;
    return true;
  }

  #string(): void {
    const bytes = this.#bytes;
    if (bytes[this.#at] !== QUOTE) throw this.#broken();
    // In a variable of its own while nobody else looks: this loop is where nearly all of a body goes by.
    let at = this.#at + 1;
    for (;;) {
      const byte = bytes[at];
      if (byte === undefined || byte < 0x20) {
        this.#at = at;
        throw this.#broken();
      }
      at++;
      if (byte !== QUOTE && byte !== BACKSLASH) continue;
      this.#at = at;
      if (byte === QUOTE) return;
      this.#escape();
      at = this.#at;
    }
  }

  #escape(): void {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw this.#broken();
    if (byte !== 0x75) {
      // One of "\/bfnrt
      if (byte !== QUOTE && byte !== BACKSLASH && byte !== 0x2f && !isLetterEscape(byte)) throw this.#broken();
      return;
    }
    for (let digit = 0; digit < 4; digit++) if (!isHexDigit(this.#bytes[this.#at++])) throw this.#broken();
  }

  #take(byte: number): boolean {
    if (this.#bytes[this.#at] !== byte) return false;
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    const bytes = this.#bytes;
    let at = this.#at;
    for (; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    }
    this.#at = at;
  }

  #broken(): RelayError {
    return invalid(`The body is not valid JSON (at byte ${Math.min(this.#at, this.#bytes.length)}).`);
  }
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= 0x39;
}

function isScalarByte(byte: number): boolean {
  // Digits, letters, + - .
  return (
    (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x45 || byte === 0x2b || byte === 0x2d || byte === 0x2e
  );
}

function isLetterEscape(byte: number): boolean {
  return byte === 0x62 || byte === 0x66 || byte === 0x6e || byte === 0x72 || byte === 0x74;
}

function isHexDigit(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}
