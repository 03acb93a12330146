// Work on files that takes its time and that a stop signal ends.
import { listenForStopSignals } from "../../stop-signals.ts";

/** A stop signal ended it: nothing more is to be said. */
export class Interrupted extends Error {
  /** The one that says which signal it was. */
  readonly exitCode: number;

  constructor(exitCode: number) {
    super("stopped by a signal");
    this.exitCode = exitCode;
  }
}

/** Gives the work a signal, whose reason is an Interrupted once a stop signal came. */
export async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signals = listenForStopSignals();
  const stopping = new AbortController();
  void signals.first.then((exitCode) => stopping.abort(new Interrupted(exitCode)));
  try {
    return await work(stopping.signal);
  } finally {
    signals.stop();
  }
}
