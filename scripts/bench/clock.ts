// One clock for all processes of a benchmark, so that a moment noted in one can be subtracted from a moment noted in another.

/**
 * Milliseconds since 1970 with microseconds behind the point. Each process reads the wall clock once, when it starts, and the
 * monotonic clock from there on; what two processes then differ by is measured before use (see skew.ts).
 */
export function sharedNowMs(): number {
  return performance.timeOrigin + performance.now();
}
