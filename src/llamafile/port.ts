// A port of the loopback that is free now, and that no model was given already.
import { createServer } from "node:net";
import { CommandError } from "../base/errors.ts";
import type { Home } from "./home.ts";
import { isUp, readRunState, slugsWithState, statusNow } from "./run-state.ts";

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** @throws CommandError when `wanted` is taken, or the range has no free port */
export async function choosePort(home: Home, wanted: number | null, range: PortRange): Promise<number> {
  if (wanted !== null) {
    if (await isFree(wanted)) return wanted;
    throw new CommandError(`the port ${wanted} is taken by another program; leave off --port to take any free one`);
  }
  const given = new Set(slugsWithState(home).flatMap((slug) => (isUp(statusNow(home, slug)) ? [readRunState(home, slug)?.port] : [])));
  for (let port = range.first; port <= range.last; port++) {
    if (!given.has(port) && (await isFree(port))) return port;
  }
  throw new CommandError(`no port from ${range.first} to ${range.last} is free; give --port, or a wider port-range`);
}

async function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", () => resolve(false));
  server.listen({ host: "127.0.0.1", port, exclusive: true }, () => server.close(() => resolve(true)));
  return await promise;
}
