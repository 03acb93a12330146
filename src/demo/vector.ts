// Texts as vectors: each word adds to one direction picked by its hash, so texts that share words lie close together.

export const VECTOR_DIMENSIONS = 16;

/** A vector of length 1; the same for the same text. */
export function toVector(text: string, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions);
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  for (const word of words) {
    const hash = Bun.hash.wyhash(word);
    const place = Number(hash % BigInt(dimensions));
    vector[place] = vector[place]! + 1;
  }
  // A text without words still has to point somewhere.
  if (words.length === 0) vector[0] = 1;
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

/** 0 (nothing in common) to 1 (the same words). */
export function similarity(a: Float32Array, b: Float32Array): number {
  const product = a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
  return Math.min(Math.max(product, 0), 1);
}
