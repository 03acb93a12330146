// Waits for a condition instead of for time: a test is as fast as what it tests, and says what never happened.

/** Resolves once `condition` holds; rejects naming `what` when it does not within `withinMs`. */
export async function until(condition: () => boolean, what: string, withinMs = 5_000): Promise<void> {
  const giveUpAt = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error(`waited ${withinMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
