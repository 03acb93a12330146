// Reads server-sent events as they come in, as cheaply as can be: their bytes are looked at, not decoded.

/** `name` is empty when the event has none; `data` is only good during the call. */
export type OnEvent = (name: string, data: Buffer) => void;

/** No model's chunk is so large: what does not end by then is no event. */
const EVENT_MAX_BYTES = 16 * 1024 * 1024;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const DATA = Buffer.from("data:");
const NAME = Buffer.from("event:");
const NOTHING = Buffer.alloc(0);

export class EventReader {
  readonly #onEvent: OnEvent;
  /** The pieces of a line whose end has not come. */
  #pieces: Buffer[] = [];
  #heldBytes = 0;
  #name = "";
  #data: Buffer | null = null;
  /** The data is ours, and not a view of what was read last. */
  #isCopied = false;

  constructor(onEvent: OnEvent) {
    this.#onEvent = onEvent;
  }

  /** @throws when an event has no end */
  push(bytes: Buffer): void {
    let from = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, from)) {
      this.#onLine(this.#withHeld(bytes.subarray(from, end)));
      from = end + 1;
    }
    if (from < bytes.length) this.#hold(bytes.subarray(from));
    // The bytes of this read are gone with it, and the event's end may come in another.
    if (this.#data !== null && !this.#isCopied) this.#data = Buffer.from(this.#data);
    this.#isCopied = this.#data !== null;
  }

  #hold(piece: Buffer): void {
    this.#heldBytes += piece.length;
    if (this.#heldBytes > EVENT_MAX_BYTES) throw new Error("an event of the stream has no end");
    this.#pieces.push(Buffer.from(piece));
  }

  #withHeld(line: Buffer): Buffer {
    if (this.#pieces.length === 0) return line;
    const whole = Buffer.concat([...this.#pieces, line]);
    this.#pieces = [];
    this.#heldBytes = 0;
    return whole;
  }

  #onLine(lineWithCr: Buffer): void {
    const line = lineWithCr[lineWithCr.length - 1] === CR ? lineWithCr.subarray(0, -1) : lineWithCr;
    if (line.length === 0) return this.#onEmptyLine();
    if (begins(line, DATA)) this.#addData(valueOf(line, DATA.length));
    else if (begins(line, NAME)) this.#name = valueOf(line, NAME.length).toString("utf8", 0, 128);
  }

  #addData(value: Buffer): void {
    if ((this.#data?.length ?? 0) + value.length > EVENT_MAX_BYTES) throw new Error("an event of the stream has no end");
    this.#isCopied = this.#data !== null;
    this.#data = this.#data === null ? value : Buffer.concat([this.#data, Buffer.from("\n"), value]);
  }

  /** An event without data is none (HTML standard, 9.2.6). */
  #onEmptyLine(): void {
    const [name, data] = [this.#name, this.#data];
    this.#name = "";
    this.#data = null;
    if (data !== null) this.#onEvent(name, data);
  }
}

function begins(line: Buffer, word: Buffer): boolean {
  return line.length >= word.length && line.compare(word, 0, word.length, 0, word.length) === 0;
}

function valueOf(line: Buffer, from: number): Buffer {
  if (line.length === from) return NOTHING;
  return line.subarray(line[from] === SPACE ? from + 1 : from);
}
