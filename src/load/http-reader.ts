// Reads HTTP/1.1 answers as they come in, with next to no cost: the load generator shares its machine with what it measures.

export interface AnswerObserver {
  /** `head` is the status line and the headers, as they came; `headerOf` finds one. */
  onHead(status: number, head: string): void;
  /** Bytes of the body without its framing; a view that is only good during the call. */
  onBody(bytes: Buffer): void;
  /** `isReusable`: the connection may carry another request. */
  onEnd(isReusable: boolean): void;
}

/**
 * 1. head         until the empty line
 * 2. fixed        a body of known length
 * 3. chunk-size   RFC 9112 7.1: hexadecimal size up to its line feed
 * 4. chunk        the bytes of one chunk
 * 5. chunk-end    the line break behind it
 * 6. trailer      lines up to an empty one
 * 7. to-the-end   a body that ends with its connection
 */
type State = "head" | "fixed" | "chunk-size" | "chunk" | "chunk-end" | "trailer" | "to-the-end";

const LF = 0x0a;
const CR = 0x0d;
const HEAD_END = "\r\n\r\n";
const HEAD_MAX_BYTES = 64 * 1024;
const BEGINNING = Buffer.from("HTTP/1.");
// As many as a whole number can hold exactly.
const SIZE_MAX_DIGITS = 13;

/** A header's value from the head of an answer, or null; `lower` is the head in lower case, for who asks for several. */
export function headerOf(head: string, name: string, lower = head.toLowerCase()): string | null {
  const at = lower.indexOf(`\r\n${name}:`);
  if (at < 0) return null;
  const from = at + name.length + 3;
  const end = head.indexOf("\r\n", from);
  return head.slice(from, end < 0 ? undefined : end).trim();
}

export class HttpReader {
  readonly #observer: AnswerObserver;
  #state: State = "head";
  #head: Buffer = Buffer.alloc(0);
  /** Of the fixed body or the current chunk. */
  #remaining = 0;
  #isSizeOver = false;
  #sizeDigits = 0;
  #trailerLine = 0;
  #isReusable = true;

  constructor(observer: AnswerObserver) {
    this.#observer = observer;
  }

  /** @throws when the bytes are no HTTP answer */
  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) at = this.#step(bytes, at);
  }

  /** The connection is closed. True when that completes an answer. */
  onClosed(): boolean {
    if (this.#state !== "to-the-end") return false;
    this.#isReusable = false;
    this.#finish();
    return true;
  }

  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case "head":
        return this.#onHead(bytes, at);
      case "fixed":
      case "chunk":
        return this.#onBytes(bytes, at);
      case "chunk-size":
        return this.#onSize(bytes, at);
      case "chunk-end":
        if (bytes[at] === LF) this.#state = "chunk-size";
        return at + 1;
      case "trailer":
        return this.#onTrailer(bytes, at);
      case "to-the-end":
        this.#observer.onBody(bytes.subarray(at));
        return bytes.length;
    }
  }

  #onHead(bytes: Buffer, at: number): number {
    const before = this.#head.length;
    const head = before === 0 && at === 0 ? bytes : Buffer.concat([this.#head, bytes.subarray(at)]);
    if (!isBeginning(head)) throw new Error("this is no HTTP answer");
    const end = head.indexOf(HEAD_END);
    if (end < 0) {
      if (head.length > HEAD_MAX_BYTES) throw new Error("the head of the answer has no end");
      this.#head = Buffer.from(head);
      return bytes.length;
    }
    this.#head = Buffer.alloc(0);
    this.#begin(head.toString("latin1", 0, end));
    return at + end + HEAD_END.length - before;
  }

  #begin(head: string): void {
    const status = Number(/^HTTP\/1\.\d (\d{3})/.exec(head)?.[1]);
    if (Number.isNaN(status)) throw new Error("this is no HTTP answer");
    if (status < 200) return;
    this.#isReusable = staysOpen(head);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    this.#observer.onHead(status, head);
    if (/\r\ntransfer-encoding:[^\r]*chunked/i.test(head)) this.#state = "chunk-size";
    else if (length !== undefined) this.#beginFixed(Number(length));
    else if (status === 204 || status === 304) this.#finish();
    else this.#state = "to-the-end";
  }

  #beginFixed(length: number): void {
    this.#remaining = length;
    this.#state = "fixed";
    if (length === 0) this.#finish();
  }

  #onBytes(bytes: Buffer, at: number): number {
    const to = Math.min(bytes.length, at + this.#remaining);
    this.#remaining -= to - at;
    this.#observer.onBody(at === 0 && to === bytes.length ? bytes : bytes.subarray(at, to));
    if (this.#remaining > 0) return to;
    if (this.#state === "fixed") this.#finish();
    else this.#state = "chunk-end";
    return to;
  }

  #onSize(bytes: Buffer, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (byte === LF) return this.#onSizeRead(at + 1);
      const digit = hexDigit(byte);
      // Behind the size there may be an extension, which nobody uses.
      if (digit < 0) this.#isSizeOver = true;
      else if (!this.#isSizeOver && ++this.#sizeDigits > SIZE_MAX_DIGITS) throw new Error("a chunk of the answer has no size");
      else if (!this.#isSizeOver) this.#remaining = this.#remaining * 16 + digit;
    }
    return bytes.length;
  }

  #onSizeRead(at: number): number {
    if (this.#sizeDigits === 0) throw new Error("a chunk of the answer has no size");
    this.#sizeDigits = 0;
    this.#isSizeOver = false;
    this.#trailerLine = 0;
    this.#state = this.#remaining === 0 ? "trailer" : "chunk";
    return at;
  }

  #onTrailer(bytes: Buffer, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (byte === LF && this.#trailerLine === 0) {
        this.#finish();
        return at + 1;
      }
      if (byte === LF) this.#trailerLine = 0;
      else if (byte !== CR) this.#trailerLine++;
    }
    return bytes.length;
  }

  #finish(): void {
    this.#state = "head";
    this.#observer.onEnd(this.#isReusable);
  }
}

/** RFC 9112 9.3: since HTTP/1.1 connections stay open unless something else is said. */
function staysOpen(head: string): boolean {
  if (head.startsWith("HTTP/1.0")) return /\r\nconnection:[^\r]*keep-alive/i.test(head);
  return !/\r\nconnection:[^\r]*close/i.test(head);
}

/** What there is of it looks like an HTTP answer. */
function isBeginning(head: Buffer): boolean {
  const length = Math.min(head.length, BEGINNING.length);
  return head.compare(BEGINNING, 0, length, 0, length) === 0;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
