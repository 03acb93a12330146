// Tells a finished event stream from a truncated one where HTTP cannot: when only the closed connection ends the answer.

// Matched at the start of a line, where a model's own text (JSON-escaped) cannot put it, or as the type of an event.
const TERMINATOR =
  /\n(data: ?\[DONE\]|event: ?(message_stop|response\.(completed|failed|incomplete)))|"type": ?"(message_stop|response\.(completed|failed|incomplete))"/;
/** Longer than any terminator, so that one split between two chunks is found. */
const CARRY_CHARS = 64;

export class SseEndScanner {
  #carry = "\n";
  #isFinished = false;

  push(chunk: Uint8Array): void {
    if (this.#isFinished) return;
    const text = this.#carry + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString("latin1");
    this.#isFinished = TERMINATOR.test(text.replaceAll("\r", ""));
    this.#carry = text.slice(-CARRY_CHARS);
  }

  get isFinished(): boolean {
    return this.#isFinished;
  }
}
