// How a worker is asked to stop: by a signal, or, by the keeper of a llamafile, with a file where signals do not ask.
import { STOP_REQUEST_VARIABLE, watchForRequest } from "../../llamafile/stop-request.ts";
import type { CommandWorld } from "../command.ts";
import { listenForStopSignals, type StopSignals } from "../stop-signals.ts";

/** A request counts as the first signal, and is none to be counted twice. */
export function listenForStops({ env, clock }: Pick<CommandWorld, "env" | "clock">): StopSignals {
  const signals = listenForStopSignals();
  const path = env[STOP_REQUEST_VARIABLE] ?? "";
  if (path === "") return signals;
  const asked = Promise.withResolvers<number>();
  const watch = watchForRequest(path, clock, () => asked.resolve(EXIT_CODE_OF_SIGTERM));
  return {
    ...signals,
    first: Promise.race([signals.first, asked.promise]),
    stop() {
      watch.stop();
      signals.stop();
    },
  };
}

const EXIT_CODE_OF_SIGTERM = 143;
