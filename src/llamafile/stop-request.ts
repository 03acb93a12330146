// Asks a keeper and its worker to end in order by a file, as Windows has no signal that a process could hear: there it is simply ended.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock, Timer } from "../base/clock.ts";
import { removeQuietly } from "./atomic-file.ts";
import type { Home } from "./home.ts";
import type { RunState } from "./run-state.ts";

/** Tells a worker where the request to it will be. */
export const STOP_REQUEST_VARIABLE = "MODELRELAY_STOP_REQUEST";

/** Of this run alone: one that nobody took is none to the next. */
export function stopRequestPath(home: Home, { slug, keeper }: Pick<RunState, "slug" | "keeper">): string {
  return join(home.state, `${slug}.${keeper.pid}.stop`);
}

/** Makes the request, and signals where a signal asks; on Windows it would end, and is the way only where nothing can be written. */
export function askToEnd(path: string, signal: () => void): void {
  const isMade = makeRequest(path);
  if (process.platform !== "win32" || !isMade) signal();
}

export function takeBackRequest(path: string): void {
  removeQuietly(path);
}

export function isRequested(path: string): boolean {
  return existsSync(path);
}

/** Calls `onAsked` once, when the request is there. */
export function watchForRequest(path: string, clock: Clock, onAsked: () => void): { stop(): void } {
  let timer: Timer;
  const look = (): void => {
    if (isRequested(path)) onAsked();
    else timer = clock.startTimer(LOOK_EVERY_MS, look);
  };
  timer = clock.startTimer(LOOK_EVERY_MS, look);
  return { stop: () => timer.stop() };
}

const LOOK_EVERY_MS = 200;

/** A disk that is full keeps nobody from stopping. */
function makeRequest(path: string): boolean {
  try {
    writeFileSync(path, "", { mode: 0o600 });
    return true;
  } catch {
    return false;
  }
}
