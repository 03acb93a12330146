// The conversation with the Service Control Manager of Windows, with a manager that only writes down what it is told.
import { expect, test } from "bun:test";
import {
  CONTROL,
  runAsService,
  type ServiceControlManager,
  type ServiceStatus,
  STATE,
  STOP_REPORT_EVERY_MS,
} from "../../src/service/windows-service.ts";
import { eventKindOf } from "../../src/cli/service/as-service.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { turns } from "../support/until.ts";

class FakeManager implements ServiceControlManager {
  readonly reports: ServiceStatus[] = [];
  send: (control: number) => void = () => undefined;
  readonly #isConnected: boolean;

  constructor(isConnected = true) {
    this.#isConnected = isConnected;
  }

  async connect(onControl: (control: number) => void): Promise<boolean> {
    this.send = onControl;
    return this.#isConnected;
  }

  report(status: ServiceStatus): void {
    this.reports.push(status);
  }

  get states(): readonly number[] {
    return this.reports.map(({ state }) => state);
  }
}

async function startService(manager = new FakeManager()) {
  const clock = new ManualClock();
  const ended = Promise.withResolvers<number>();
  let stops = 0;
  let onRunning = (): void => undefined;
  const run = (isRunning: () => void) => {
    onRunning = isRunning;
    return ended.promise;
  };
  const exitCode = runAsService({ run, requestStop: () => stops++ }, manager, clock);
  await turns();
  return { manager, clock, ended, exitCode, onRunning: () => onRunning(), stops: () => stops };
}

test("[G8] a service says that it starts, that it runs and what it can be told, and that it has stopped", async () => {
  const { manager, clock, ended, exitCode, onRunning, stops } = await startService();
  expect(manager.reports).toEqual([
    { state: STATE.startPending, accepts: 0, win32ExitCode: 0, ownExitCode: 0, checkpoint: 1, waitHintMs: 30_000 },
  ]);
  onRunning();
  // SERVICE_ACCEPT_STOP and SERVICE_ACCEPT_SHUTDOWN.
  expect(manager.reports.at(-1)).toMatchObject({ state: STATE.running, accepts: 5, checkpoint: 0, waitHintMs: 0 });
  manager.send(CONTROL.stop);
  expect(stops()).toBe(1);
  ended.resolve(0);
  expect(await exitCode).toBe(0);
  expect(manager.states).toEqual([STATE.startPending, STATE.running, STATE.stopPending, STATE.stopped]);
  expect(manager.reports.at(-1)).toMatchObject({ win32ExitCode: 0, ownExitCode: 0 });
  expect(clock.pending).toBe(0);
});

test("[G8] while it drains, the manager hears of progress more often than it was told to expect", async () => {
  const { manager, clock, ended, exitCode, onRunning } = await startService();
  onRunning();
  manager.send(CONTROL.shutdown);
  clock.advance(STOP_REPORT_EVERY_MS * 30);
  const drains = manager.reports.filter(({ state }) => state === STATE.stopPending);
  expect(drains.map(({ checkpoint }) => checkpoint)).toEqual(Array.from({ length: 31 }, (_, at) => at + 1));
  for (const { waitHintMs, accepts } of drains) {
    expect(waitHintMs).toBeGreaterThan(STOP_REPORT_EVERY_MS * 2);
    expect(accepts).toBe(0);
  }
  ended.resolve(0);
  await exitCode;
  expect(clock.pending).toBe(0);
});

test("[G8] a second stop changes nothing, and other questions are answered with where things stand", async () => {
  const { manager, ended, exitCode, onRunning, stops } = await startService();
  onRunning();
  manager.send(CONTROL.interrogate);
  expect(manager.states.slice(-2)).toEqual([STATE.running, STATE.running]);
  manager.send(CONTROL.stop);
  manager.send(CONTROL.stop);
  manager.send(CONTROL.interrogate);
  expect(stops()).toBe(1);
  expect(manager.states.slice(-3)).toEqual([STATE.stopPending, STATE.stopPending, STATE.stopPending]);
  ended.resolve(0);
  await exitCode;
});

test("[G8] a stop that comes before it runs is obeyed as soon as it does", async () => {
  const { manager, ended, exitCode, onRunning, stops } = await startService();
  manager.send(CONTROL.stop);
  expect(stops()).toBe(0);
  onRunning();
  expect(stops()).toBe(1);
  ended.resolve(0);
  await exitCode;
  expect(manager.states.at(-1)).toBe(STATE.stopped);
  expect(manager.states).not.toContain(STATE.running);
});

test("[G8] an exit code reaches the manager as the service's own", async () => {
  const { manager, ended, exitCode } = await startService();
  ended.resolve(2);
  expect(await exitCode).toBe(2);
  expect(manager.reports.at(-1)).toMatchObject({ state: STATE.stopped, win32ExitCode: 1066, ownExitCode: 2 });
});

test("[G8] a service that throws is reported as stopped all the same", async () => {
  const { manager, ended, exitCode } = await startService();
  ended.reject(new Error("a bug"));
  expect(exitCode).rejects.toThrow("a bug");
  await turns();
  expect(manager.reports.at(-1)).toMatchObject({ state: STATE.stopped, win32ExitCode: 1066, ownExitCode: 1 });
});

test("[G8] what was not started by the manager runs as usual and reports nothing", async () => {
  const { manager, exitCode } = await startService(new FakeManager(false));
  expect(await exitCode).toBeNull();
  expect(manager.reports).toEqual([]);
});

test.each([
  ["2026-01-01T00:00:00.000Z INFO  listening url=http://127.0.0.1:8080\n", null],
  ["2026-01-01T00:00:00.000Z WARN  store lost reason=full\n", "warning"],
  ["2026-01-01T00:00:00.000Z ERROR something broke\n", "error"],
  ['{"time":"2026-01-01T00:00:00.000Z","level":"info","message":"listening"}\n', null],
  ['{"time":"2026-01-01T00:00:00.000Z","level":"warn","message":"store lost"}\n', "warning"],
  ['{"time":"2026-01-01T00:00:00.000Z","level":"error","message":"broke"}\n', "error"],
  ["modelrelay: a worker secret is needed: give --worker-secret-file PATH\n", "error"],
] as const)("[G9] of %p the Event Log gets %p", (line, kind) => {
  expect(eventKindOf(line)).toBe(kind);
});
