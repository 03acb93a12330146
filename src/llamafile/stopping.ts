// Stops a model that runs: asks first, and ends what does not listen. Only processes that are proven to be the ones meant.
import type { Clock } from "../base/clock.ts";
import { CommandError } from "../base/errors.ts";
import { untilGone } from "./child.ts";
import type { Home } from "./home.ts";
import { isAlive, signalGroup, signalProcess } from "./identity.ts";
import { tryLock } from "./lock.ts";
import { isUp, readRunState, removeRunState, type RunState, statusNow } from "./run-state.ts";

export type Stopped = "stopped" | "killed" | "was not running";

/** Afterwards nothing of it is left, nor written down. @throws CommandError when something cannot be ended */
export async function stopModel(home: Home, slug: string, clock: Clock, graceMs: number): Promise<Stopped> {
  const status = statusNow(home, slug);
  if (!isUp(status)) {
    forget(home, slug);
    return "was not running";
  }
  // 1. whoever keeps the others takes them down in order
  signalProcess(status.state.keeper, "SIGTERM");
  const isKeeperGone = await untilGone([status.state.keeper], graceMs, clock);
  // 2. what is left, when there was no keeper (any more)
  let state = latest(home, status.state);
  if (isKeeperGone) {
    for (const left of [state.worker, state.model]) signalGroup(left, "SIGTERM");
    await untilGone([state.worker, state.model], graceMs, clock);
  }
  // 3. what does not listen
  state = latest(home, state);
  const isKilled = membersOf(state).some(isAlive);
  signalProcess(state.keeper, "SIGKILL");
  for (const left of [state.worker, state.model]) signalGroup(left, "SIGKILL");
  if (!(await untilGone(membersOf(state), KILL_LIMIT_MS, clock))) {
    throw new CommandError(`${slug} cannot be ended (process ${membersOf(state).find(isAlive)?.pid}); is it another user's?`);
  }
  forget(home, slug);
  return isKilled ? "killed" : "stopped";
}

const KILL_LIMIT_MS = 10_000;

/** What was written down since, unless it is of another run. */
function latest(home: Home, state: RunState): RunState {
  const now = readRunState(home, state.slug);
  return now !== null && now.keeper.pid === state.keeper.pid && now.keeper.started === state.keeper.started ? now : state;
}

/** Unless somebody has started it again in the meantime. */
function forget(home: Home, slug: string): void {
  using lock = tryLock(home, `keep-${slug}`);
  if (lock !== null) removeRunState(home, slug);
}

function membersOf({ keeper, worker, model }: RunState) {
  return [keeper, worker, model];
}
