// The relay in numbers, since it started and right now.
import * as v from "valibot";
import type { Clock } from "../base/clock.ts";
import { VERSION } from "../base/version.ts";
import type { Hub } from "../hub/hub.ts";
import { type AdminContext, answer } from "./refusal.ts";
import { runningByWorker } from "./workers-route.ts";

export interface StatsWorld {
  readonly hub: Hub;
  readonly clock: Clock;
  /** The one provider this relay serves. */
  readonly provider: string;
}

const counts = (text: string) => v.pipe(v.record(v.string(), v.number()), v.description(text));
const count = (text: string) => v.pipe(v.number(), v.description(text));

export const Stats = v.object({
  queue_depth: counts("waiting requests by provider"),
  queue_depth_by_model: counts("waiting requests by model; a model nobody waits for is left out"),
  active_workers: count("connected workers"),
  workers: v.array(
    v.object({
      worker_id: v.string(),
      worker_name: v.string(),
      in_flight_count: v.number(),
      max_concurrent: v.number(),
      is_draining: v.boolean(),
    }),
  ),
  requests: v.object({
    accepted: count("requests taken in"),
    waiting: v.number(),
    running: count("requests on a worker"),
    requeued: count("times a request went back to the queue"),
    by_outcome: counts("ended requests: complete, client_left, or the code of the error"),
  }),
  ignored_frames: count("worker frames that meant nothing: late, foreign, double or unknown"),
  uptime_secs: v.number(),
  version: v.string(),
});

export function showStats(c: AdminContext, world: StatsWorld, startedMs: number): Response {
  return answer(c, 200, statsOf(world, startedMs));
}

function statsOf({ hub, clock, provider }: StatsWorld, startedMs: number): v.InferOutput<typeof Stats> {
  const waiting = new Map<string, number>();
  for (const { phase, request } of hub.requests.values()) {
    if (phase.kind === "queued") waiting.set(request.model, (waiting.get(request.model) ?? 0) + 1);
  }
  const depth = [...waiting.values()].reduce((sum, size) => sum + size, 0);
  const running = runningByWorker(hub);
  const { counters } = hub;
  return {
    queue_depth: Object.fromEntries([[provider, depth]]),
    queue_depth_by_model: Object.fromEntries(waiting),
    active_workers: hub.fleet.workers.size,
    workers: [...hub.fleet.workers.values()].map(({ id, info, drainedBy }) => ({
      worker_id: id,
      worker_name: info.name,
      in_flight_count: running.get(id) ?? 0,
      max_concurrent: info.slots,
      is_draining: drainedBy !== null,
    })),
    requests: {
      accepted: counters.accepted,
      waiting: depth,
      running: hub.requests.size - depth,
      requeued: counters.requeued,
      by_outcome: Object.fromEntries(counters.byOutcome),
    },
    ignored_frames: counters.ignoredFrames,
    uptime_secs: Math.round((clock.nowMs() - startedMs) / 100) / 10,
    version: VERSION,
  };
}
