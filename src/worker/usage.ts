// Reads the token counts out of an answer that passes by, for the relay's statistics. It sees the bytes and never touches them.
import type { TokenCounts } from "../protocol/schema.ts";

// Inside a model's text the quotes are escaped (`\"usage\"`), so these bytes only occur as a key.
const KEY = Buffer.from('"usage"');
/** A usage object with all its details is some 500 bytes; one longer than this is not worth waiting for. */
const OBJECT_MAX_BYTES = 4_096;

/** Feed it every chunk of an answer in order; it costs one native search per chunk. */
export class UsageScanner {
  // The end of the last chunk, in which the key or the object after it may have begun.
  #carry: Buffer = Buffer.alloc(0);
  #seen: Record<string, unknown> = {};

  push(chunk: Uint8Array): void {
    const view = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let bytes = this.#carry.byteLength === 0 ? view : Buffer.concat([this.#carry, view]);
    for (;;) {
      const key = bytes.indexOf(KEY);
      if (key < 0) {
        // A copy: a view would keep the whole chunk alive.
        this.#carry = Buffer.from(bytes.subarray(Math.max(0, bytes.byteLength - KEY.byteLength + 1)));
        return;
      }
      const after = bytes.subarray(key + KEY.byteLength);
      const object = objectAfterColon(after);
      if (object === "incomplete" && after.byteLength < OBJECT_MAX_BYTES) {
        this.#carry = Buffer.from(bytes.subarray(key));
        return;
      }
      // A later usage object knows more than an earlier one, but may leave out what that one said.
      if (typeof object === "object") Object.assign(this.#seen, object);
      bytes = after;
    }
  }

  /** What was seen so far, in OpenAI's words; null when no usage object came by. */
  counts(): TokenCounts | null {
    const prompt = whole(this.#seen["prompt_tokens"]) ?? whole(this.#seen["input_tokens"]);
    const completion = whole(this.#seen["completion_tokens"]) ?? whole(this.#seen["output_tokens"]);
    const total = whole(this.#seen["total_tokens"]) ?? (prompt !== null && completion !== null ? prompt + completion : null);
    if (prompt === null && completion === null && total === null) return null;
    return {
      ...(prompt === null ? {} : { prompt_tokens: prompt }),
      ...(completion === null ? {} : { completion_tokens: completion }),
      ...(total === null ? {} : { total_tokens: total }),
    };
  }
}

function objectAfterColon(bytes: Buffer): Record<string, unknown> | "incomplete" | "none" {
  const text = bytes.toString("latin1", 0, OBJECT_MAX_BYTES);
  const start = /^\s*(:?)\s*(.?)/s.exec(text)!;
  if (start[1] === "" ? start[2] !== "" : start[2] !== "{" && start[2] !== "") return "none";
  if (start[2] === "") return "incomplete";
  // The counts have no braces in strings; should an extension have one, the parse fails and nothing is counted.
  const from = start[0].length - 1;
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) return parsed(text.slice(from, at + 1));
  }
  return "incomplete";
}

function parsed(text: string): Record<string, unknown> | "none" {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : "none";
  } catch {
    return "none";
  }
}

function whole(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}
