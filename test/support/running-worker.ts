// Starts the real worker daemon for a test, and stops it however the test ends.
import { systemClock } from "../../src/base/clock.ts";
import type { WorkConfig } from "../../src/worker/config.ts";
import { WORK_DEFAULTS } from "../../src/worker/config.ts";
import { type RunningWorker, startWorker, type WorkerWorld } from "../../src/worker/worker.ts";
import { createRecordingLog, type RecordingLog } from "./recording-log.ts";

export interface TestWorker extends RunningWorker, AsyncDisposable {
  readonly log: RecordingLog;
}

export interface TestWorkerSettings extends Partial<Omit<WorkConfig, "proxyUrl" | "backendUrl">> {
  readonly relay: { readonly url: URL };
  readonly backend: { readonly url: URL };
}

/** Serves the model `m` with four slots, and retries at once, unless told otherwise. */
export function startTestWorker({ relay, backend, ...settings }: TestWorkerSettings, world: Partial<WorkerWorld> = {}): TestWorker {
  const log = createRecordingLog();
  const worker = startWorker(
    {
      ...WORK_DEFAULTS,
      proxyUrl: relay.url,
      backendUrl: backend.url,
      workerSecret: "test-secret",
      workerName: "box",
      models: ["m"],
      maxConcurrency: 4,
      ...settings,
    },
    { log, clock: systemClock, random: () => 0, environment: {}, ...world },
  );
  const { finished } = worker;
  return {
    log,
    finished,
    drain: () => worker.drain(),
    stop: () => worker.stop(),
    status: () => worker.status(),
    [Symbol.asyncDispose]: () => worker.stop(),
  };
}
