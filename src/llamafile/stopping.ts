// Stops a model that runs: asks first, and ends what does not listen. Only processes that are proven to be the ones meant.
import type { Clock } from "../base/clock.ts";
import { CommandError } from "../base/errors.ts";
import { untilGone } from "./child.ts";
import type { Home } from "./home.ts";
import { isAlive, isGone, signalGroup, signalProcess } from "./identity.ts";
import { tryLock } from "./lock.ts";
import { isUp, readRunState, removeRunState, type RunState, statusOf, writeRunState } from "./run-state.ts";
import { askToEnd, stopRequestPath, takeBackRequest } from "./stop-request.ts";

export type Stopped = "stopped" | "killed" | "was not running";

/** What becomes of what is written down of the model: whoever starts it again needs it until the new start holds. */
export type Afterwards = "forget" | "keep";

/** Afterwards nothing of it is left. @throws CommandError when something cannot be ended, or it cannot be told whether it has ended */
export async function stopModel(
  home: Home,
  slug: string,
  clock: Clock,
  graceMs: number,
  afterwards: Afterwards = "forget",
): Promise<Stopped> {
  const before = readRunState(home, slug);
  if (before === null) return "was not running";
  const request = stopRequestPath(home, before);
  if (!isThere(before)) {
    settle(home, before, afterwards);
    return "was not running";
  }
  try {
    const how = await end(home, before, request, clock, graceMs);
    settle(home, before, afterwards);
    return how;
  } finally {
    takeBackRequest(request);
  }
}

const KILL_LIMIT_MS = 10_000;

async function end(home: Home, before: RunState, request: string, clock: Clock, graceMs: number): Promise<Stopped> {
  // 1. whoever keeps the others takes them down in order
  askToEnd(request, () => signalProcess(before.keeper, "SIGTERM"));
  const isKeeperGone = await untilGone([before.keeper], graceMs, clock);
  // 2. what is left, when there was no keeper (any more): the worker first, as it may have requests that the model answers
  let state = latest(home, before);
  if (isKeeperGone) {
    const { worker, model } = state;
    askToEnd(request, () => signalGroup(worker, "SIGTERM"));
    await untilGone([worker], graceMs, clock);
    signalGroup(model, "SIGTERM");
    await untilGone([model], graceMs, clock);
  }
  // 3. what does not listen
  state = latest(home, state);
  const isKilled = membersOf(state).some(isAlive);
  signalProcess(state.keeper, "SIGKILL");
  for (const left of [state.worker, state.model]) signalGroup(left, "SIGKILL");
  // What was not ended, as it cannot be told what it is, will not be gone any sooner.
  if (await untilGone(membersOf(state), isKilled ? KILL_LIMIT_MS : 0, clock)) return isKilled ? "killed" : "stopped";
  const left = membersOf(state).filter((each) => !isGone(each));
  const proven = left.find(isAlive);
  throw new CommandError(
    proven === undefined
      ? `this system does not tell whether process ${left[0]?.pid} still is one of ${state.slug}, so it is left alone; try again`
      : `${state.slug} cannot be ended (process ${proven.pid}); is it another user's?`,
  );
}

/** Whether anything of it is, or may be, there; also a worker that has lost both its keeper and its model. */
function isThere(state: RunState): boolean {
  const [keeper, model, worker] = [!isGone(state.keeper), !isGone(state.model), !isGone(state.worker)];
  return isUp(statusOf(state, { keeper, model })) || model || worker;
}

/** What was written down since, unless it is of another run. */
function latest(home: Home, state: RunState): RunState {
  const now = readRunState(home, state.slug);
  return now !== null && isSameRun(now, state) ? now : state;
}

function isSameRun({ keeper }: RunState, other: RunState): boolean {
  return keeper.pid === other.keeper.pid && keeper.started === other.keeper.started;
}

/** Unless somebody has started it again in the meantime. */
function settle(home: Home, before: RunState, afterwards: Afterwards): void {
  using lock = tryLock(home, `keep-${before.slug}`);
  const state = lock === null ? null : readRunState(home, before.slug);
  if (state === null || !isSameRun(state, before)) return;
  if (afterwards === "forget") removeRunState(home, before.slug);
  // Its keeper may have been unable to write it.
  else if (state.ended === null) writeRunState(home, { ...state, is_stopping: true });
}

function membersOf({ keeper, worker, model }: RunState) {
  return [keeper, worker, model];
}
