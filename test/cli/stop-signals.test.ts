// How a running command ends.
import { expect, test } from "bun:test";
import { listenForStopSignals, runUntilStopped, type StopSignals, stoppableWaits } from "../../src/cli/stop-signals.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { failureOf, until } from "../support/until.ts";

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

/** What came, as the exit codes of the first and the second signal. */
function codesOf({ first, second }: StopSignals) {
  const codes: { first: number | null; second: number | null } = { first: null, second: null };
  void first.then((code) => (codes.first = code));
  void second.then((code) => (codes.second = code));
  return codes;
}

/** Resolves once this process has got the signal. */
async function signal(name: NodeJS.Signals): Promise<void> {
  let isHere = false;
  process.once(name, () => void (isHere = true));
  process.kill(process.pid, name);
  await until(() => isHere, name);
}

test.each([
  ["SIGTERM", 143],
  ["SIGINT", 130],
] as const)(
  "[K18] two %s are exit code %d, but within 300 ms they are the same one: a terminal and what is between send one each",
  async (name, code) => {
    const clock = new ManualClock();
    const signals = listenForStopSignals({ clock });
    try {
      const codes = codesOf(signals);
      await signal(name);
      expect(await signals.first).toBe(code);
      clock.advance(299);
      await signal(name);
      await signal(name);
      expect(codes).toEqual({ first: code, second: null });
      // Counted from the first of them, so that pressing on and on helps.
      clock.advance(1);
      await signal(name);
      expect(await signals.second).toBe(code);
    } finally {
      signals.stop();
    }
  },
);

test("[K18] another signal is a second one at any moment", async () => {
  const signals = listenForStopSignals({ clock: new ManualClock() });
  try {
    await signal("SIGINT");
    await signal("SIGTERM");
    expect([await signals.first, await signals.second]).toEqual([130, 143]);
  } finally {
    signals.stop();
  }
});

test("[K18] waits that a stop signal ends keep nothing of what they waited for", async () => {
  const first = Promise.withResolvers<number>();
  const orStopped = stoppableWaits({ first: first.promise });
  const results: WeakRef<object>[] = [];
  for (let round = 0; round < 100; round++) {
    const result = await orStopped(Promise.resolve({ bytes: new Uint8Array(1_000) }));
    results.push(new WeakRef(result!));
  }
  await until(() => {
    Bun.gc(true);
    // The collector looks at the stack too, and may take what lies there for the last of them.
    return results.filter((result) => result.deref() !== undefined).length < 10;
  }, "the results are let go");
  expect(await failureOf(orStopped(Promise.reject(new Error("broken"))))).toEqual(new Error("broken"));
  const waiting = orStopped(NEVER);
  first.resolve(130);
  expect(await waiting).toBeNull();
  expect(await orStopped(NEVER)).toBeNull();
});
