// Looking at connected workers, and taking them out of rotation and back.
import { RelayError } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { ConnectedWorker } from "../hub/fleet.ts";
import type { Hub } from "../hub/hub.ts";
import type { WorkerId } from "../scheduler/events.ts";
import { type AdminContext, answer } from "./refusal.ts";
import { toWorker } from "./worker-schema.ts";

export interface WorkersWorld {
  readonly hub: Hub;
  readonly clock: Clock;
  readonly log: Log;
}

export function listWorkers(c: AdminContext, { hub, clock }: WorkersWorld): Response {
  const running = runningByWorker(hub);
  const workers = [...hub.fleet.workers.values()].map((worker) =>
    toWorker(worker, running.get(worker.id) ?? 0, hub.fleet.standing(worker.id), clock),
  );
  return answer(c, 200, { workers });
}

/** It finishes what it has and gets nothing new, until it is resumed. */
export function drainWorker(c: AdminContext, world: WorkersWorld, id: WorkerId): Response {
  const worker = workerOf(world, id);
  world.hub.fleet.drain(id, "operator");
  world.log.info("worker taken out of rotation", { worker_id: id, worker_name: worker.info.name });
  return answerWorker(c, world, 200, worker);
}

export function resumeWorker(c: AdminContext, world: WorkersWorld, id: WorkerId): Response {
  const worker = workerOf(world, id);
  if (!world.hub.fleet.resume(id))
    throw new RelayError("invalid_request", "This worker is shutting down by itself and takes no more requests.");
  world.log.info("worker back in rotation", { worker_id: id, worker_name: worker.info.name });
  return answerWorker(c, world, 200, worker);
}

/** Asks it to look at its backend's models again; what it finds arrives later. */
export function refreshWorker(c: AdminContext, world: WorkersWorld, id: WorkerId): Response {
  const worker = workerOf(world, id);
  worker.handle.refreshModels("operator");
  world.log.info("worker asked for its models", { worker_id: id, worker_name: worker.info.name });
  return answerWorker(c, world, 202, worker);
}

/** Requests of each worker that somebody waits for. */
export function runningByWorker({ requests }: Hub): ReadonlyMap<WorkerId, number> {
  const running = new Map<WorkerId, number>();
  for (const { phase } of requests.values()) {
    if (phase.kind === "queued") continue;
    const { worker } = phase.kind === "dispatched" ? phase : phase.dispatched;
    running.set(worker, (running.get(worker) ?? 0) + 1);
  }
  return running;
}

function answerWorker(c: AdminContext, { hub, clock }: WorkersWorld, status: number, worker: ConnectedWorker): Response {
  return answer(c, status, toWorker(worker, runningByWorker(hub).get(worker.id) ?? 0, hub.fleet.standing(worker.id), clock));
}

function workerOf({ hub }: WorkersWorld, id: WorkerId): ConnectedWorker {
  const worker = hub.fleet.workers.get(id);
  if (worker === undefined) throw new RelayError("not_found", "There is no connected worker with this id.");
  return worker;
}
