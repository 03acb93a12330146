// How a running command ends: the first stop signal drains, the second one does not wait.
import { type Clock, systemClock } from "../base/clock.ts";

export interface StopSignals {
  /** Both resolve to the exit code that says which signal it was. */
  readonly first: Promise<number>;
  readonly second: Promise<number>;
  readonly stop: () => void;
}

interface SignalWorld {
  readonly clock?: Pick<Clock, "nowMs">;
  readonly platform?: NodeJS.Platform;
}

/** Windows reports Ctrl+Break and a closed console under names of their own. */
export function listenForStopSignals({ clock = systemClock, platform = process.platform }: SignalWorld = {}): StopSignals {
  const names = platform === "win32" ? [...POSIX_SIGNALS, ...WINDOWS_SIGNALS] : POSIX_SIGNALS;
  const first = Promise.withResolvers<number>();
  const second = Promise.withResolvers<number>();
  let begun: { readonly name: NodeJS.Signals; readonly atMs: number } | null = null;
  const onSignal = (name: NodeJS.Signals) => {
    const exitCode = SIGNAL_EXIT_BASE + (SIGNAL_NUMBERS.get(name) ?? 0);
    const isEcho = begun?.name === name && clock.nowMs() - begun.atMs < ECHO_MS;
    if (begun !== null && !isEcho) second.resolve(exitCode);
    begun ??= { name, atMs: clock.nowMs() };
    first.resolve(exitCode);
  };
  for (const name of names) process.on(name, onSignal);
  const stop = () => {
    for (const name of names) process.off(name, onSignal);
  };
  return { first: first.promise, second: second.promise, stop };
}

/**
 * For waiting again and again, for one thing or another, until a stop signal comes: null from then on. A race each time would leave its
 * result with the signal, for as long as none comes.
 */
export function stoppableWaits({ first }: Pick<StopSignals, "first">): <T>(awaited: Promise<T>) => Promise<T | null> {
  let isStopped = false;
  let giveUp = (): void => {};
  const onStop = async (): Promise<void> => {
    await first;
    isStopped = true;
    giveUp();
  };
  void onStop();
  return async <T>(awaited: Promise<T>) => {
    const { promise, resolve, reject } = Promise.withResolvers<T | null>();
    giveUp = () => resolve(null);
    awaited.then(resolve, reject);
    if (isStopped) giveUp();
    return await promise;
  };
}

interface Stoppable {
  /** Ends it in good order. */
  readonly drain: () => Promise<void>;
  /** Settles when it ended by itself; never for what only ends when told. */
  readonly finished: Promise<void>;
}

/** Resolves to the exit code: 0 after a drain or an end of its own accord, the signal's when a second one came. */
export async function runUntilStopped(running: Stoppable, signals: StopSignals): Promise<number> {
  const drained = signals.first.then(() => running.drain());
  const ended = Promise.race([drained, running.finished]).then(() => 0);
  try {
    return await Promise.race([ended, signals.second]);
  } finally {
    signals.stop();
  }
}

// Ctrl+C in a terminal reaches every process in it, and npx and `bun run` hand it on to their child besides. Nobody presses it twice so quickly.
const ECHO_MS = 300;

const POSIX_SIGNALS: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM"];
const WINDOWS_SIGNALS: readonly NodeJS.Signals[] = ["SIGBREAK", "SIGHUP"];
const SIGNAL_EXIT_BASE = 128;
const SIGNAL_NUMBERS = new Map<NodeJS.Signals, number>([
  ["SIGHUP", 1],
  ["SIGINT", 2],
  ["SIGTERM", 15],
  ["SIGBREAK", 21],
]);
