// Counts the events of a stream as they come in and, where the backend wrote its time into them, how long each was on its way.

const EVENT_END = "\n\n";
const LF = 0x0a;
/** `data: {"t":` stands at the start of every event of the scripted backend; the time follows. */
const STAMP_PREFIX = Buffer.from('data: {"t":');

export class EventCounter {
  #count = 0;
  #endsWithLf = false;

  get count(): number {
    return this.#count;
  }

  push(bytes: Buffer): void {
    if (bytes.length === 0) return;
    let at = 0;
    if (this.#endsWithLf && bytes[0] === LF) {
      this.#count++;
      at = 1;
    }
    for (at = bytes.indexOf(EVENT_END, at); at >= 0; at = bytes.indexOf(EVENT_END, at + 2)) this.#count++;
    // An event end that was just counted must not be the first half of another.
    this.#endsWithLf = bytes[bytes.length - 1] === LF && bytes[bytes.length - 2] !== LF;
  }
}

/** Gives each event that carries a time to `onEvent`, with that time. */
export class EventStamps {
  readonly #onEvent: (stampMs: number) => void;
  #held: Buffer | null = null;

  constructor(onEvent: (stampMs: number) => void) {
    this.#onEvent = onEvent;
  }

  push(bytes: Buffer): void {
    const all = this.#held === null ? bytes : Buffer.concat([this.#held, bytes]);
    let from = 0;
    for (let end = all.indexOf(EVENT_END); end >= 0; end = all.indexOf(EVENT_END, from)) {
      const stamp = stampIn(all, from, end);
      if (stamp !== null) this.#onEvent(stamp);
      from = end + EVENT_END.length;
    }
    this.#held = from === all.length ? null : Buffer.from(all.subarray(from));
  }
}

function stampIn(bytes: Buffer, from: number, to: number): number | null {
  if (bytes.compare(STAMP_PREFIX, 0, STAMP_PREFIX.length, from, Math.min(to, from + STAMP_PREFIX.length)) !== 0) return null;
  const start = from + STAMP_PREFIX.length;
  return Number.parseFloat(bytes.toString("latin1", start, Math.min(to, start + 20)));
}
