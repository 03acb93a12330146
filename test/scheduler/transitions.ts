// The moves shared by deadlines and events: what becomes of a request whose attempt is cancelled, lost, refused or dropped.
import type { RefusalCode } from "../../src/base/errors.ts";
import { nearestNames } from "../../src/base/nearest.ts";
import { ANY_MODEL } from "../../src/protocol/registration.ts";
import type { CancelCause, RequeueCause } from "../../src/scheduler/events.ts";
import { type AttemptRecord, offers, type RequestRecord, type RuleId, type WorkerRecord, type World } from "./world.ts";

/** `nearest`: the names that go with `model_not_found` and `no_workers`. */
export function oweRefusal(request: RequestRecord, codes: readonly RefusalCode[], rule: RuleId, nearest: readonly string[] = []): void {
  request.nearest = nearest;
  request.owed = "refuse";
  request.codes = codes;
  request.owedRule = rule;
}

export function oweEnd(request: RequestRecord, rule: RuleId): void {
  request.owed = "end";
  request.owedRule = rule;
}

function oweRequeue(request: RequestRecord, cause: RequeueCause, rule: RuleId): void {
  request.owed = "requeue";
  request.requeueCause = cause;
  request.owedRule = rule;
}

/** [C2] The attempt becomes a zombie that holds its slot until it is accounted for. */
export function cancelAttempt(world: World, request: RequestRecord, cause: CancelCause): void {
  const { attempt } = request;
  if (attempt === null) return;
  attempt.request = null;
  attempt.owedCancel = cause;
  attempt.accountByMs = world.nowMs + world.limits.cancelAckMs;
  request.attempt = null;
}

/** [W1] The worker is gone, its slots with it. */
export function removeWorker(world: World, worker: WorkerRecord, closing: "superseded" | "cancel-unanswered" | null): void {
  if (closing !== null) world.closing.push({ worker: worker.id, cause: closing });
  withdraw(world, worker);
  world.workers.splice(world.workers.indexOf(worker), 1);
  for (let at = world.attempts.length - 1; at >= 0; at--) {
    const attempt = world.attempts[at];
    if (attempt?.worker === worker) loseAttempt(world, attempt);
  }
  noteWithdrawn(world);
}

function loseAttempt(world: World, attempt: AttemptRecord): void {
  const { request } = attempt;
  world.forgetAttempt(attempt);
  if (request === null) {
    world.sometimes["cancelled attempt goes with its worker"]++;
    if (attempt.owedCancel === null) return;
    // Its time-out and the loss of its worker fall into one step: both ways to see it are right.
    for (const ending of world.requests) {
      if (ending.owed !== "refuse") continue;
      ending.codes = [...ending.codes, "worker_lost", "requeue_exhausted"];
      ending.mayRequeue = true;
    }
    return;
  }
  request.attempt = null;
  if (request.hasStarted) {
    world.sometimes["worker lost after the first byte"]++;
    oweRefusal(request, ["worker_lost"], "R7");
  } else {
    retryLost(world, request);
  }
}

/** [R2] */
function retryLost(world: World, request: RequestRecord): void {
  if (request.counted >= world.limits.maxRequeues) {
    world.sometimes["loss exhausts the requeues"]++;
    oweRefusal(request, ["requeue_exhausted"], "R2");
    return;
  }
  request.counted++;
  world.sometimes["requeued after loss"]++;
  oweRequeue(request, "worker-lost", "R2");
}

/** [R3] */
export function retryRejected(request: RequestRecord): void {
  request.attempt = null;
  oweRequeue(request, "rejected", "R3");
}

/** [R4] */
export function retryRefused(world: World, request: RequestRecord, worker: WorkerRecord): void {
  request.attempt = null;
  request.avoid.push(worker);
  world.sometimes["backend refused"]++;
  if (!isOfferedElsewhere(world, request)) {
    if (request.avoid.length > 1) world.sometimes["refused everywhere"]++;
    oweRefusal(request, ["backend_error"], "R4");
  } else if (request.counted >= world.limits.maxRequeues) {
    world.sometimes["refusal exhausts the requeues"]++;
    oweRefusal(request, ["requeue_exhausted"], "R4");
  } else {
    request.counted++;
    oweRequeue(request, "connection-refused", "R4");
  }
}

/** [R5] */
export function retryDropped(world: World, request: RequestRecord, worker: WorkerRecord): void {
  request.attempt = null;
  request.avoid.push(worker);
  request.drops++;
  if (request.drops > 1) world.sometimes["dropped twice"]++;
  if (request.drops > 1 || !isOfferedElsewhere(world, request)) {
    oweRefusal(request, ["backend_error"], "R5");
    return;
  }
  world.sometimes["dropped, tried elsewhere"]++;
  oweRequeue(request, "dropped", "R5");
}

/** [R4] Refusals of requests that were on their way when the cool-down began are one finding with the first. */
export function coolDown(world: World, worker: WorkerRecord): void {
  if (world.isCooling(worker)) {
    world.sometimes["refused again while cooling down"]++;
    return;
  }
  const { coolDownMinMs, coolDownMaxMs } = world.limits;
  if (worker.coolMs > 0) world.sometimes["cool-down doubled"]++;
  worker.coolMs = Math.min(worker.coolMs === 0 ? coolDownMinMs : worker.coolMs * 2, coolDownMaxMs);
  if (worker.coolMs === coolDownMaxMs) world.sometimes["cool-down at its longest"]++;
  worker.coolUntilMs = world.nowMs + worker.coolMs;
}

export function noteAnswer(world: World, worker: WorkerRecord): void {
  if (worker.coolMs > 0) world.sometimes["cool-down reset by an answer"]++;
  worker.coolMs = 0;
}

function isOfferedElsewhere(world: World, request: RequestRecord): boolean {
  return world.workers.some((worker) => offers(worker, request.model) && !request.avoid.includes(worker));
}

/** The names offered instead of one nobody offers. */
export function nearestOffered(world: World, model: string): readonly string[] {
  const names = new Set<string>();
  for (const worker of world.workers) for (const name of worker.models) if (name !== ANY_MODEL) names.add(name);
  return nearestNames(model, names);
}

/** What it offered was last on offer now, as far as this worker is concerned. */
export function withdraw(world: World, worker: WorkerRecord): void {
  for (const model of worker.models) {
    if (model === ANY_MODEL) world.lastAnyOfferedMs = world.nowMs;
    else world.lastOfferedMs.set(model, world.nowMs);
  }
}

/** [Q6] Notes which waiting requests nobody offers a model for any more. */
export function noteWithdrawn(world: World): void {
  for (const request of world.requests) {
    if (request.wasWithdrawn || request.attempt !== null || request.inGrace) continue;
    if (world.workers.some((worker) => offers(worker, request.model))) continue;
    request.wasWithdrawn = true;
    world.sometimes["model withdrawn while waited for"]++;
  }
}
