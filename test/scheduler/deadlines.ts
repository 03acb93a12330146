// What falls due: when, with which codes, and when the scheduler must be awake for it.
import type { RefusalCode } from "../../src/base/errors.ts";
import { cancelAttempt, nearestOffered, oweRefusal, removeWorker } from "./transitions.ts";
import { isWaiting, loadOf, offers, type RequestRecord, type WorkerRecord, type World } from "./world.ts";

/** Does to the oracle's world what the passing of time does, and notes what the scheduler owes for it. */
export function fireDue(world: World): void {
  const gone: WorkerRecord[] = [];
  for (const { request, accountByMs, worker } of world.attempts) {
    if (request === null && accountByMs <= world.nowMs && !gone.includes(worker)) gone.push(worker);
  }
  const justCooled = world.workers.some((worker) => world.isJustCooled(worker));
  let fired = 0;
  for (const request of world.requests) if (fireRequest(world, request, gone, justCooled)) fired++;
  for (const worker of gone) {
    const others = worker.inFlight;
    removeWorker(world, worker, "cancel-unanswered");
    world.sometimes["unanswered cancel closes the worker"]++;
    if (others > 1) world.sometimes["unanswered cancel requeues others"]++;
  }
  if (fired > 1) world.sometimes["several deadlines in one step"]++;
}

/** The earliest time at which the scheduler has to do something of its own accord. */
export function earliestDueMs(world: World): number {
  let earliest = Infinity;
  for (const request of world.requests) {
    earliest = Math.min(earliest, queueDueMs(world, request), requestDueMs(world, request), totalDueMs(world, request));
  }
  for (const attempt of world.attempts) if (attempt.request === null) earliest = Math.min(earliest, attempt.accountByMs);
  return Math.min(earliest, earliestUsefulCoolDownMs(world));
}

/** When a cool-down ends that keeps a waiting request from being served. */
export function earliestUsefulCoolDownMs(world: World): number {
  let earliest = Infinity;
  for (const worker of world.workers) {
    if (!world.isCooling(worker) || worker.isDraining || worker.isFull || loadOf(worker) >= worker.slots) continue;
    if (worker.coolUntilMs >= earliest) continue;
    const isWanted = world.requests.some(
      (request) => isWaiting(request) && offers(worker, request.model) && !request.avoid.includes(worker) && !world.isHeldBack(request),
    );
    if (isWanted) earliest = worker.coolUntilMs;
  }
  return earliest;
}

/** [Q3] Only waiting time counts. */
function queueDueMs({ limits }: World, request: RequestRecord): number {
  if (limits.queueTimeoutMs === 0 || !isWaiting(request)) return Infinity;
  return request.waitSinceMs + limits.queueTimeoutMs - request.waitedMs;
}

/** [C4] */
function requestDueMs({ limits }: World, request: RequestRecord): number {
  if (limits.requestTimeoutMs === 0 || (request.hasStarted && request.isStreaming)) return Infinity;
  return request.arrivedMs + limits.requestTimeoutMs;
}

/** [C4] */
function totalDueMs({ limits }: World, request: RequestRecord): number {
  return limits.totalTimeoutMs === 0 ? Infinity : request.arrivedMs + limits.totalTimeoutMs;
}

function fireRequest(world: World, request: RequestRecord, gone: readonly WorkerRecord[], justCooled: boolean): boolean {
  const { nowMs, sometimes } = world;
  const isQueueDue = queueDueMs(world, request) <= nowMs;
  const isRequestDue = requestDueMs(world, request) <= nowMs;
  const isTotalDue = totalDueMs(world, request) <= nowMs;
  if (!isQueueDue && !isRequestDue && !isTotalDue) return false;
  const codes: RefusalCode[] = [];
  if (isQueueDue) codes.push(...queueCodes(world, request, gone, justCooled));
  if (isRequestDue) codes.push("request_timeout");
  if (isTotalDue) codes.push("total_timeout");
  if (request.attempt === null) {
    if (isRequestDue) sometimes["request time-out in the queue"]++;
    request.mayDispatch = justCooled && !isRequestDue && !isTotalDue;
  } else {
    if (request.hasStarted && request.isStreaming) sometimes["total time-out in a stream"]++;
    else if (isRequestDue)
      sometimes[request.hasStarted ? "request time-out in a whole answer" : "request time-out before the first byte"]++;
    cancelAttempt(world, request, "timeout");
  }
  if (request.tries > 0 && request.attempt === null) sometimes["time-out after a requeue"]++;
  const nearest = codes.includes("no_workers") ? nearestOffered(world, request.model) : [];
  oweRefusal(request, codes, isQueueDue ? "Q4" : "C4", nearest);
  return true;
}

/** [Q4] Where workers leave or end their cool-down in this very step, the answers before and after each are all right. */
function queueCodes(world: World, request: RequestRecord, gone: readonly WorkerRecord[], justCooled: boolean): readonly RefusalCode[] {
  const before = world.workers.filter((worker) => offers(worker, request.model));
  const after = before.filter((worker) => !gone.includes(worker));
  const isCooling = (worker: WorkerRecord): boolean => world.isCooling(worker);
  const now = queueCode(after, isCooling);
  const { sometimes } = world;
  if (now === "no_workers") sometimes["queue time-out without workers"]++;
  else if (now === "backend_error") sometimes["queue time-out while all cool down"]++;
  else sometimes["queue time-out"]++;
  if (gone.length === 0 && !justCooled) return [now];
  const wasCooling = (worker: WorkerRecord): boolean => worker.coolUntilMs > world.previousMs;
  return [now, queueCode(after, wasCooling), queueCode(before, isCooling), queueCode(before, wasCooling)];
}

function queueCode(offering: readonly WorkerRecord[], isCooling: (worker: WorkerRecord) => boolean): RefusalCode {
  if (offering.length === 0) return "no_workers";
  return offering.every(isCooling) ? "backend_error" : "queue_timeout";
}
