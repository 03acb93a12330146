// How a running command ends.
import { expect, test } from "bun:test";
import { listenForStopSignals, runUntilStopped } from "../../src/cli/stop-signals.ts";
import { failureOf } from "../support/until.ts";

const NEVER = new Promise<never>(() => undefined);

/** Stop signals a test gives by hand. */
function handSignals() {
  const first = Promise.withResolvers<number>();
  const second = Promise.withResolvers<number>();
  let isStopped = false;
  const signals = { first: first.promise, second: second.promise, stop: () => void (isStopped = true) };
  return { signals, first: () => first.resolve(143), second: second.resolve, isStopped: () => isStopped };
}

test("[K18] the first signal drains, and the end of the drain is exit code 0", async () => {
  const { signals, first, isStopped } = handSignals();
  const drained = Promise.withResolvers<void>();
  let drains = 0;
  const exit = runUntilStopped({ drain: () => (drains++, drained.promise), finished: NEVER }, signals);
  first();
  await signals.first;
  drained.resolve();
  expect(await exit).toBe(0);
  expect(drains).toBe(1);
  expect(isStopped()).toBe(true);
});

test("[K18] a second signal does not wait for the drain", async () => {
  const { signals, first, second } = handSignals();
  const exit = runUntilStopped({ drain: () => NEVER, finished: NEVER }, signals);
  first();
  second(143);
  expect(await exit).toBe(143);
});

test("[K18] what ends by itself ends the command", async () => {
  const { signals } = handSignals();
  expect(await runUntilStopped({ drain: () => NEVER, finished: Promise.resolve() }, signals)).toBe(0);
});

test("[K18] a failing drain is not taken for a good end", async () => {
  const { signals, first } = handSignals();
  const exit = runUntilStopped({ drain: () => Promise.reject(new Error("broken")), finished: NEVER }, signals);
  first();
  expect(await failureOf(exit)).toEqual(new Error("broken"));
});

test.each([
  ["SIGTERM", 143],
  ["SIGINT", 130],
] as const)("[K18] two %s are exit code %d", async (name, code) => {
  const signals = listenForStopSignals();
  try {
    process.kill(process.pid, name);
    expect(await signals.first).toBe(code);
    process.kill(process.pid, name);
    expect(await signals.second).toBe(code);
  } finally {
    signals.stop();
  }
});
