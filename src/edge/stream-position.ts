// Reads, from the side, where a Responses API stream stands, so that a failure can follow its last event with the right numbers.
import type { StreamPosition } from "./dialect.ts";

const SEQUENCE = Buffer.from('"sequence_number"');
const SEQUENCE_VALUE = /^"sequence_number"\s*:\s*(\d{1,15})/;
const RESPONSE_ID = /"response"\s*:\s*\{[^{}]*?"id"\s*:\s*"([\w-]{1,128})"/;
/** The id stands in the first event, near its beginning. */
const ID_WITHIN_BYTES = 4096;

export class StreamPositionReader {
  #responseId: string | null = null;
  #sequenceNumber: number | null = null;
  #isFirst = true;

  /** `events`: whole events, as they go out. They are only looked at. */
  see(events: Uint8Array): void {
    const bytes = Buffer.from(events.buffer, events.byteOffset, events.byteLength);
    if (this.#isFirst) {
      this.#isFirst = false;
      this.#responseId = RESPONSE_ID.exec(bytes.toString("utf8", 0, ID_WITHIN_BYTES))?.[1] ?? null;
    }
    const at = bytes.lastIndexOf(SEQUENCE);
    if (at < 0) return;
    const match = SEQUENCE_VALUE.exec(bytes.toString("latin1", at, at + 40));
    if (match !== null) this.#sequenceNumber = Number(match[1]);
  }

  get position(): StreamPosition {
    return { responseId: this.#responseId, sequenceNumber: this.#sequenceNumber };
  }
}
