// A port of the loopback that is free now, and that no model was given already.
import { createServer } from "node:net";
import type { Clock } from "../base/clock.ts";
import { CommandError } from "../base/errors.ts";
import type { Home } from "./home.ts";
import { isUp, readRunState, slugsWithState, statusNow } from "./run-state.ts";

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** The one that is wanted; else that of the time before, when it is free; else the first free one. @throws CommandError when there is none */
export async function choosePort(home: Home, wanted: number | null, before: number | null, range: PortRange): Promise<number> {
  if (wanted !== null) {
    if (await isPortFree(wanted)) return wanted;
    throw new CommandError(`the port ${wanted} is taken by another program; leave off --port to take any free one`);
  }
  const given = new Set(slugsWithState(home).flatMap((slug) => (isUp(statusNow(home, slug)) ? [readRunState(home, slug)?.port] : [])));
  if (before !== null && !given.has(before) && (await isPortFree(before))) return before;
  for (let port = range.first; port <= range.last; port++) {
    if (!given.has(port) && (await isPortFree(port))) return port;
  }
  throw new CommandError(`no port from ${range.first} to ${range.last} is free; give --port, or a wider port-range`);
}

/** Waits a little for whoever has just been ended. False: it is not free. */
export async function untilPortFree(port: number, clock: Clock): Promise<boolean> {
  const giveUpAtMs = clock.nowMs() + FREED_LIMIT_MS;
  while (!(await isPortFree(port))) {
    if (clock.nowMs() >= giveUpAtMs) return false;
    await new Promise<void>((resolve) => clock.startTimer(LOOK_EVERY_MS, resolve));
  }
  return true;
}

const FREED_LIMIT_MS = 1_000;
const LOOK_EVERY_MS = 50;

async function isPortFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", () => resolve(false));
  server.listen({ host: "127.0.0.1", port, exclusive: true }, () => server.close(() => resolve(true)));
  return await promise;
}
