// Starts the real relay for a test, and stops it however the test ends. What must never happen is checked then, in every test.
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
  /** Resolves once this many requests live in the relay; none: nothing of them is left. */
  requests(count: number): Promise<void>;
  /** POSTs a JSON body. */
  post(path: string, body: unknown, init?: RequestInit): Promise<Response>;
  /** Fails when anything is left of the test's requests, or an error was logged that nobody expected. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What the test itself breaks on purpose. */
export interface Expectations {
  /** Messages of error lines that do not fail the test. */
  readonly errors?: readonly string[];
}

/** On a free port of the loopback, with the documented defaults unless told otherwise. Its worker secret is "test-secret". */
export function startTestRelay(
  settings: Partial<ServeConfig> = {},
  world: Partial<ServerWorld> = {},
  expected: Expectations = {},
): TestRelay {
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
    workers: (count) => until(() => relay.hub.fleet.workers.size === count, `${count} workers registered`),
    requests: (count) => until(() => relay.hub.requests.size === count, `${count} requests in the relay`),
    post: (path, body, init = {}) =>
      fetch(at(path), { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" }, ...init }),
    async [Symbol.asyncDispose]() {
      try {
        await until(() => relay.hub.requests.size === 0 && relay.hub.bodies.heldBytes === 0, "no request is left in the relay");
      } finally {
        await relay.stop();
      }
      const unexpected = log.lines.filter(({ level, message }) => level === "error" && expected.errors?.includes(message) !== true);
      if (unexpected.length > 0) throw new Error(`the relay logged errors: ${JSON.stringify(unexpected)}`);
    },
  };
}
