// How a running command ends: the first stop signal drains, the second one does not wait.

export interface StopSignals {
  /** Both resolve to the exit code that says which signal it was. */
  readonly first: Promise<number>;
  readonly second: Promise<number>;
  readonly stop: () => void;
}

/** Windows reports Ctrl+Break and a closed console under names of their own. */
export function listenForStopSignals(platform: NodeJS.Platform = process.platform): StopSignals {
  const names = platform === "win32" ? [...POSIX_SIGNALS, ...WINDOWS_SIGNALS] : POSIX_SIGNALS;
  const first = Promise.withResolvers<number>();
  const second = Promise.withResolvers<number>();
  let isDraining = false;
  const onSignal = (name: NodeJS.Signals) => {
    const exitCode = SIGNAL_EXIT_BASE + (SIGNAL_NUMBERS.get(name) ?? 0);
    if (isDraining) second.resolve(exitCode);
    isDraining = true;
    first.resolve(exitCode);
  };
  for (const name of names) process.on(name, onSignal);
  const stop = () => {
    for (const name of names) process.off(name, onSignal);
  };
  return { first: first.promise, second: second.promise, stop };
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

const POSIX_SIGNALS: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM"];
const WINDOWS_SIGNALS: readonly NodeJS.Signals[] = ["SIGBREAK", "SIGHUP"];
const SIGNAL_EXIT_BASE = 128;
const SIGNAL_NUMBERS = new Map<NodeJS.Signals, number>([
  ["SIGHUP", 1],
  ["SIGINT", 2],
  ["SIGTERM", 15],
  ["SIGBREAK", 21],
]);
