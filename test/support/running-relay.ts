// Starts the real relay for a test, and stops it however the test ends.
import { systemClock } from "../../src/base/clock.ts";
import { SERVE_DEFAULTS, type ServeConfig } from "../../src/server/config.ts";
import { type RunningServer, type ServerWorld, startServer } from "../../src/server/server.ts";
import { createRecordingLog, type RecordingLog } from "./recording-log.ts";
import { until } from "./until.ts";

export interface TestRelay extends RunningServer, AsyncDisposable {
  readonly log: RecordingLog;
  /** A path of the relay as a URL to fetch. */
  at(path: string): string;
  /** Resolves once this many workers are registered. */
  workers(count: number): Promise<void>;
  /** POSTs a JSON body. */
  post(path: string, body: unknown, init?: RequestInit): Promise<Response>;
}

/** On a free port of the loopback, with the documented defaults unless told otherwise. Its worker secret is "test-secret". */
export function startTestRelay(settings: Partial<ServeConfig> = {}, world: Partial<ServerWorld> = {}): TestRelay {
  const log = createRecordingLog();
  const relay = startServer(
    { ...SERVE_DEFAULTS, listen: { host: "127.0.0.1", port: 0 }, workerSecret: "test-secret", ...settings },
    { log, clock: systemClock, ...world },
  );
  const at = (path: string): string => new URL(path, relay.url).href;
  return {
    ...relay,
    log,
    at,
    workers: (count) => until(() => relay.hub.workers.size === count, `${count} workers registered`),
    post: (path, body, init = {}) =>
      fetch(at(path), { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" }, ...init }),
    [Symbol.asyncDispose]: () => relay.stop(),
  };
}
