// A connected worker as operators see it.
import * as v from "valibot";
import type { Clock } from "../base/clock.ts";
import type { WorkerStanding } from "../scheduler/state.ts";
import type { ConnectedWorker } from "../hub/fleet.ts";

export const Worker = v.object({
  worker_id: v.string(),
  worker_name: v.string(),
  provider: v.string(),
  models: v.pipe(v.array(v.string()), v.description("what it serves; * stands for any model")),
  unlisted_models: v.pipe(v.array(v.string()), v.description("those of them that GET /v1/models leaves out")),
  max_concurrent: v.pipe(v.number(), v.description("its slots")),
  reported_load: v.pipe(v.number(), v.description("requests running there by its own last count")),
  in_flight_count: v.pipe(v.number(), v.description("requests of this relay that it works on")),
  is_draining: v.pipe(v.boolean(), v.description("it gets no new requests")),
  protocol: v.string(),
  version: v.nullable(v.string()),
  address: v.string(),
  connected_at: v.pipe(v.number(), v.description("Unix seconds")),
  last_heartbeat_at: v.pipe(v.number(), v.description("its last sign of life, in Unix seconds")),
  cooling_down: v.optional(v.pipe(v.boolean(), v.description("its backend refused connections: it gets nothing for a while"))),
  slots_taken: v.optional(v.pipe(v.number(), v.description("cancelled requests it has not accounted for included"))),
});

export const WorkerList = v.object({ workers: v.array(Worker) });

/** `standing` null: how the scheduler sees it is not known here, and left out. */
export function toWorker(
  worker: ConnectedWorker,
  inFlight: number,
  standing: WorkerStanding | null,
  clock: Clock,
): v.InferOutput<typeof Worker> {
  const { id, info, life } = worker;
  const lastHeardUnixMs = clock.unixMs() - (clock.nowMs() - life.lastHeardMs);
  return {
    worker_id: id,
    worker_name: info.name,
    provider: info.provider,
    models: [...info.models],
    unlisted_models: [...info.unlisted],
    max_concurrent: info.slots,
    reported_load: info.load,
    in_flight_count: inFlight,
    is_draining: worker.drainedBy !== null,
    protocol: info.protocol,
    version: info.version,
    address: info.address,
    connected_at: Math.floor(worker.connectedAtUnixMs / 1000),
    last_heartbeat_at: Math.floor(lastHeardUnixMs / 1000),
    ...(standing === null ? {} : { cooling_down: standing.isCoolingDown, slots_taken: standing.slotsTaken }),
  };
}
