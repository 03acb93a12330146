// Whether a model server answers yet. Large models load for minutes, and say so in the meantime.
import type { Clock } from "../base/clock.ts";

/** 1. it answers  2. it loads  3. nobody is there */
async function isReady(url: string, signal: AbortSignal): Promise<boolean> {
  const health = await statusOf(`${url}/health`, signal);
  if (health === 200) return true; // (1)
  if (health === null || health === 503) return false; // (2) (3)
  return (await statusOf(`${url}/v1/models`, signal)) === 200;
}

/** Asks until it answers. @throws the signal's reason */
export async function untilReady(url: string, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!(await isReady(url, signal))) {
    await pause(clock, ASK_EVERY_MS, signal);
  }
}

/** @throws the signal's reason when it is aborted in the meantime */
export async function pause(clock: Clock, waitMs: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = clock.startTimer(waitMs, resolve);
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await promise;
  } finally {
    timer.stop();
    signal.removeEventListener("abort", onAbort);
  }
}

const ASK_EVERY_MS = 200;
const ANSWER_LIMIT_MS = 5_000;

async function statusOf(url: string, signal: AbortSignal): Promise<number | null> {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_LIMIT_MS)]);
    const response = await fetch(url, { signal: limit, redirect: "manual", proxy: false });
    await response.body?.cancel();
    return response.status;
  } catch {
    signal.throwIfAborted();
    return null;
  }
}
