// What the Service Control Manager of Windows is told, and when: a service that does not report its states in time is taken for dead.
import type { Clock, Timer } from "../base/clock.ts";
import { unreachable } from "../base/assert.ts";

/** The Service Control Manager as this program needs it. */
export interface ServiceControlManager {
  /**
   * Makes this process the service it was started as. Resolves to false when it was not started as one. `onControl` gets the
   * manager's requests from then on.
   */
  connect(onControl: (control: number) => void): Promise<boolean>;
  report(status: ServiceStatus): void;
}

/** What of SERVICE_STATUS varies. */
export interface ServiceStatus {
  readonly state: number;
  readonly accepts: number;
  readonly win32ExitCode: number;
  readonly ownExitCode: number;
  readonly checkpoint: number;
  readonly waitHintMs: number;
}

export interface ServiceWork {
  /** Resolves to the exit code. `onRunning` is to be called once it listens for `requestStop`. */
  readonly run: (onRunning: () => void) => Promise<number>;
  readonly requestStop: () => void;
}

// The numbers of winsvc.h and winerror.h.
export const STATE = { stopped: 1, startPending: 2, stopPending: 3, running: 4 } as const;
export const CONTROL = { stop: 1, interrogate: 4, shutdown: 5 } as const;
const ACCEPT = { stop: 1, shutdown: 4 } as const;
export const ERROR_SERVICE_SPECIFIC = 1066;

// Far above what a start takes on a slow disk with a virus scanner.
const START_HINT_MS = 30_000;
/** A report each time, with a higher checkpoint: however long a drain takes, the manager sees that it goes on. */
export const STOP_REPORT_EVERY_MS = 2_000;
// Several times the pace of the reports, so that a busy moment is not taken for a hang.
const STOP_HINT_MS = 15_000;

type Phase =
  | { readonly name: "starting" }
  | { readonly name: "running" }
  | { readonly name: "stopping"; checkpoint: number }
  | { readonly name: "stopped"; readonly exitCode: number };

/** Runs the work as a service and resolves to its exit code; null when this process was not started as a service. */
export async function runAsService(work: ServiceWork, manager: ServiceControlManager, clock: Clock): Promise<number | null> {
  const service = new Service(work, manager, clock);
  if (!(await manager.connect((control) => service.onControl(control)))) return null;
  return await service.run();
}

class Service {
  readonly #work: ServiceWork;
  readonly #manager: ServiceControlManager;
  readonly #clock: Clock;
  #phase: Phase = { name: "starting" };
  #isStopWanted = false;
  #nextReport: Timer | null = null;

  constructor(work: ServiceWork, manager: ServiceControlManager, clock: Clock) {
    this.#work = work;
    this.#manager = manager;
    this.#clock = clock;
  }

  async run(): Promise<number> {
    this.#report();
    let exitCode = EXIT_FAILURE;
    try {
      exitCode = await this.#work.run(() => this.#onRunning());
    } finally {
      this.#nextReport?.stop();
      this.#phase = { name: "stopped", exitCode };
      this.#report();
    }
    return exitCode;
  }

  /** Anything but a stop is answered with where things stand; a second stop changes nothing, the drain has its own limit. */
  onControl(control: number): void {
    if (control === CONTROL.stop || control === CONTROL.shutdown) this.#isStopWanted = true;
    if (this.#isStopWanted && this.#phase.name === "running") this.#stop();
    else this.#report();
  }

  #onRunning(): void {
    if (this.#phase.name !== "starting") return;
    this.#phase = { name: "running" };
    if (this.#isStopWanted) this.#stop();
    else this.#report();
  }

  #stop(): void {
    this.#phase = { name: "stopping", checkpoint: 0 };
    this.#reportStopping();
    this.#work.requestStop();
  }

  #reportStopping(): void {
    if (this.#phase.name !== "stopping") return;
    this.#phase.checkpoint++;
    this.#report();
    this.#nextReport = this.#clock.startTimer(STOP_REPORT_EVERY_MS, () => this.#reportStopping());
  }

  #report(): void {
    this.#manager.report(toStatus(this.#phase));
  }
}

const EXIT_FAILURE = 1;
const QUIET = { accepts: 0, win32ExitCode: 0, ownExitCode: 0, checkpoint: 0, waitHintMs: 0 } as const;

function toStatus(phase: Phase): ServiceStatus {
  switch (phase.name) {
    case "starting":
      return { ...QUIET, state: STATE.startPending, checkpoint: 1, waitHintMs: START_HINT_MS };
    case "running":
      return { ...QUIET, state: STATE.running, accepts: ACCEPT.stop | ACCEPT.shutdown };
    case "stopping":
      return { ...QUIET, state: STATE.stopPending, checkpoint: phase.checkpoint, waitHintMs: STOP_HINT_MS };
    case "stopped":
      // An exit code of our own is told apart from those of Windows.
      return {
        ...QUIET,
        state: STATE.stopped,
        win32ExitCode: phase.exitCode === 0 ? 0 : ERROR_SERVICE_SPECIFIC,
        ownExitCode: phase.exitCode,
      };
  }
  return unreachable(phase);
}
