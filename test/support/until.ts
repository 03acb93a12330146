// Waits for a condition instead of for time: a test is as fast as what it tests, and says what never happened.

const USUAL_LIMIT_MS = 5_000;

/** Resolves once `condition` holds; rejects naming `what` when it does not within `withinMs`. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, withinMs = USUAL_LIMIT_MS): Promise<void> {
  const giveUpAt = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`waited ${withinMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** The promise's result; rejects naming `what` when there is none within `withinMs`. */
export async function within<Result>(promise: Promise<Result>, what: string, withinMs = USUAL_LIMIT_MS): Promise<Result> {
  const { promise: tooLate, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`waited ${withinMs} ms in vain: ${what}`)), withinMs);
  try {
    return await Promise.race([promise, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

/** What the promise was rejected with. @throws when it was not */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("this should have failed");
}

/** Lets everything that is ready to run do so: turns of the event loop, sockets included. */
export async function turns(count = 1): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
