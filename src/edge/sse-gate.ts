// Lets a server-sent event stream through in whole events, so that what the relay has to say itself never lands inside one.

/** An unfinished event longer than this goes on in pieces: holding it would hold the client. */
const HOLD_MAX_BYTES = 64 * 1024;

const EMPTY: Buffer = Buffer.alloc(0);
const LF_LF = Buffer.from("\n\n");
/** The empty line is CRLF; the line before it may have ended either way. */
const LF_CRLF = Buffer.from("\n\r\n");
const CR_CR = Buffer.from("\r\r");
/** The longest of them but for one byte. */
const TAIL_BYTES = 2;

/** Bytes in, the same bytes out, cut at event boundaries (WHATWG HTML 9.2.6: an empty line ends an event). */
export class SseGate {
  #held = EMPTY;
  #isInsideEvent = false;
  /** The last bytes of an unfinished event that went out: the empty line that ends it may begin in them. */
  #tail = EMPTY;

  /** What has gone out so far ends where an event ends: the only place for a word of our own. */
  get isAtBoundary(): boolean {
    return !this.#isInsideEvent;
  }

  /** Takes bytes in; returns what may go out now, possibly nothing. */
  push(bytes: Uint8Array): Uint8Array {
    const all = this.#held.byteLength === 0 ? asBuffer(bytes) : Buffer.concat([this.#held, bytes]);
    const end = lastBoundary(all) || this.#boundaryAcross(all);
    if (end === all.byteLength) return this.#letGo(all, false);
    if (end === 0 && all.byteLength > HOLD_MAX_BYTES) return this.#letGo(all, true);
    if (end === 0) {
      this.#held = all;
      return EMPTY;
    }
    const whole = all.subarray(0, end);
    this.#isInsideEvent = false;
    // A copy, so that a few held bytes do not keep a large chunk in memory.
    this.#held = Buffer.from(all.subarray(end));
    return whole;
  }

  /** The stream is complete: the rest goes out whatever it is. */
  flush(): Uint8Array {
    return this.#letGo(this.#held, this.#held.byteLength > 0 || this.#isInsideEvent);
  }

  #letGo(bytes: Buffer, isInsideEvent: boolean): Uint8Array {
    this.#held = EMPTY;
    this.#isInsideEvent = isInsideEvent;
    if (isInsideEvent) this.#tail = Buffer.from(bytes.subarray(-TAIL_BYTES));
    return bytes;
  }

  /** Where the event of which a part went out ends, if its empty line began in that part. */
  #boundaryAcross(bytes: Buffer): number {
    if (!this.#isInsideEvent) return 0;
    const seam = Buffer.concat([this.#tail, bytes.subarray(0, TAIL_BYTES)]);
    return Math.max(0, lastBoundary(seam) - this.#tail.byteLength);
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Where the last complete event ends; 0: there is none. */
function lastBoundary(bytes: Buffer): number {
  // Nearly every chunk ends with an event.
  if (bytes.byteLength >= 2 && bytes[bytes.byteLength - 1] === 0x0a && bytes[bytes.byteLength - 2] === 0x0a) return bytes.byteLength;
  const lf = endOf(bytes, LF_LF);
  const crlf = endOf(bytes, LF_CRLF);
  const cr = endOf(bytes, CR_CR);
  return Math.max(lf, crlf, cr);
}

function endOf(bytes: Buffer, mark: Buffer): number {
  const at = bytes.lastIndexOf(mark);
  return at < 0 ? 0 : at + mark.byteLength;
}
