// Reads server-sent events the way a test needs them: with their exact bytes, and with how the stream ended.

export interface SseEvent {
  /** The `event:` field, or null. */
  readonly name: string | null;
  /** The `data:` lines, joined by line ends. */
  readonly data: string;
  /** Comment lines, without the colon. */
  readonly comments: readonly string[];
  /** The event exactly as it came, its empty line included. */
  readonly bytes: Uint8Array;
}

/** How the stream ended: as it should, or broken off (with what was left over of an event in both cases). */
export interface SseEnd {
  readonly kind: "clean" | "broken";
  readonly leftover: Uint8Array;
}

// What is used of a stream's reader: the runtime and the standard library declare it differently.
interface BodyReader {
  read(): Promise<{ readonly value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

export class SseReader {
  readonly #reader: BodyReader;
  readonly #chunks: Uint8Array[] = [];
  #pending: Uint8Array = new Uint8Array();
  #end: SseEnd | null = null;

  /** @throws when the response has no body */
  constructor(response: Response) {
    if (response.body === null) throw new Error("the response has no body");
    this.#reader = response.body.getReader();
  }

  /** Everything received so far, as it came. */
  get bytes(): Uint8Array {
    return Buffer.concat(this.#chunks);
  }

  /** How often something came. */
  get reads(): number {
    return this.#chunks.length;
  }

  /** Set once the stream is over. */
  get end(): SseEnd | null {
    return this.#end;
  }

  /** The next event, or null when there are no more: `end` tells why. */
  async next(): Promise<SseEvent | null> {
    for (;;) {
      const length = eventLength(this.#pending);
      if (length !== null) {
        const bytes = this.#pending.slice(0, length);
        this.#pending = this.#pending.subarray(length);
        return parseEvent(bytes);
      }
      if (this.#end !== null || !(await this.#read())) return null;
    }
  }

  /** All the events that are left. */
  async rest(): Promise<readonly SseEvent[]> {
    const events: SseEvent[] = [];
    for (let event = await this.next(); event !== null; event = await this.next()) events.push(event);
    return events;
  }

  /** Hangs up. */
  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }

  async #read(): Promise<boolean> {
    let chunk: Uint8Array | undefined;
    let kind: SseEnd["kind"] = "clean";
    try {
      chunk = (await this.#reader.read()).value;
    } catch {
      kind = "broken";
    }
    if (chunk === undefined) {
      this.#end = { kind, leftover: this.#pending };
      return false;
    }
    this.#chunks.push(chunk);
    this.#pending = Buffer.concat([this.#pending, chunk]);
    return true;
  }
}

/** The events of a body that is there in full. */
export async function readEvents(response: Response): Promise<readonly SseEvent[]> {
  return await new SseReader(response).rest();
}

/** Length of the first event in `bytes`, its empty line included, or null. A lone CR at the end may yet become CRLF. */
function eventLength(bytes: Uint8Array): number | null {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  const end = /(\r\n|\n|\r(?=[^\n]))(\r\n|\n|\r(?=[^\n]))/.exec(text);
  return end === null ? null : end.index + end[0].length;
}

function parseEvent(bytes: Uint8Array): SseEvent {
  let name: string | null = null;
  const data: string[] = [];
  const comments: string[] = [];
  for (const line of new TextDecoder().decode(bytes).split(/\r\n|\n|\r/)) {
    const [, field = "", value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (line.startsWith(":")) comments.push(value);
    else if (field === "event") name = value;
    else if (field === "data") data.push(value);
  }
  return { name, data: data.join("\n"), comments, bytes };
}
