// How bytes are cut before they are written, so that readers meet every possible boundary.
import { type Random } from "./random.ts";

/** In one piece, in pieces of so many bytes, or in random pieces of 1 to 16 bytes. */
export type Slicing = "whole" | number | Random;

const RANDOM_PIECE_MAX_BYTES = 16;

export function* slices(bytes: Uint8Array, slicing: Slicing): Generator<Uint8Array> {
  if (slicing === "whole") {
    yield bytes;
    return;
  }
  let from = 0;
  while (from < bytes.length) {
    const size = typeof slicing === "number" ? slicing : 1 + slicing.below(RANDOM_PIECE_MAX_BYTES);
    yield bytes.subarray(from, from + size);
    from += size;
  }
}

export function toBytes(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? new TextEncoder().encode(data) : data;
}
