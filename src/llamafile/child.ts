// A program that was started and is watched until it ends. It has a session of its own: Ctrl+C in a terminal is for who watches, not for it.
import { spawn } from "node:child_process";
import type { Clock } from "../base/clock.ts";
import { CommandError } from "../base/errors.ts";
import { identify, type Identity, isGone, signalGroup } from "./identity.ts";
import { reasonOf } from "./reason.ts";

export interface ChildEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface Child {
  /** Null when it ended before it could be looked at, or the system does not tell. */
  readonly identity: Identity | null;
  readonly ended: Promise<ChildEnd>;
  /** Asks it to end, by SIGTERM unless `ask` knows better, and ends it when it has not after `graceMs`. */
  stop(graceMs: number, ask?: (signal: () => void) => void): Promise<void>;
  /** Ends it without asking. */
  kill(): void;
}

export interface ChildSetup {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  /** Takes what it says: an open file, or null for nobody. */
  readonly output: number | null;
  /** Takes its errors instead, when given. */
  readonly errors?: number;
  readonly clock: Clock;
}

/** @throws CommandError when it cannot be started */
export async function startChild({ command, env, directory, output, errors, clock }: ChildSetup): Promise<Child> {
  const [program = "", ...args] = command;
  const sink = output ?? "ignore";
  const child = spawn(program, args, { cwd: directory, env, stdio: ["ignore", sink, errors ?? sink], detached: true, windowsHide: true });
  const ended = new Promise<ChildEnd>((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) => reject(new CommandError(`${program} cannot be started (${reasonOf(error)})`)));
  });
  const identity = child.pid === undefined ? null : identify(child.pid);
  // A child of this process cannot be mistaken for another one, also where the system did not tell when it started.
  const send = (signal: NodeJS.Signals): void => (identity === null ? void child.kill(signal) : signalGroup(identity, signal));
  return {
    identity,
    ended,
    async stop(graceMs, ask = (signal) => signal()) {
      ask(() => send("SIGTERM"));
      const timer = clock.startTimer(graceMs, () => send("SIGKILL"));
      await ended;
      timer.stop();
    },
    kill: () => send("SIGKILL"),
  };
}

/** Waits until all of them are gone without a doubt; false when that takes too long. */
export async function untilGone(identities: readonly (Identity | null)[], limitMs: number, clock: Clock): Promise<boolean> {
  const giveUpAtMs = clock.nowMs() + limitMs;
  while (!identities.every(isGone)) {
    if (clock.nowMs() >= giveUpAtMs) return false;
    await new Promise<void>((resolve) => clock.startTimer(LOOK_EVERY_MS, resolve));
  }
  return true;
}

const LOOK_EVERY_MS = 50;
