// A request that lives in the relay at this moment, as operators see it: what it is and where it stands, nothing of its content.
import * as v from "valibot";
import type { Clock } from "../base/clock.ts";
import { ANONYMOUS } from "../hub/handles.ts";
import type { LiveRequest as HubRequest, RequestPhase } from "../hub/live-request.ts";

export const LiveRequest = v.object({
  id: v.pipe(v.string(), v.description("the relay's own name for it, which the cancel route takes")),
  request_id: v.pipe(v.string(), v.description("what the client and the logs call it; clients may choose it")),
  key_id: v.pipe(v.nullable(v.string()), v.description("the API key it came with")),
  model: v.string(),
  path: v.string(),
  is_streaming: v.boolean(),
  state: v.pipe(
    v.picklist(["queued", "dispatched", "answering"]),
    v.description("queued: waits for a worker; dispatched: on a worker, no byte of an answer yet; answering: bytes flow"),
  ),
  position: v.pipe(v.nullable(v.number()), v.description("1: next for its model; null: does not wait, or not looked up")),
  worker_id: v.nullable(v.string()),
  worker_name: v.nullable(v.string()),
  attempts: v.pipe(v.number(), v.description("workers it was given to; 0 while it waits")),
  arrived_at: v.pipe(v.number(), v.description("Unix seconds")),
  age_secs: v.number(),
});

export const LiveRequestList = v.object({
  requests: v.pipe(v.array(LiveRequest), v.description("the oldest first")),
  total: v.pipe(v.number(), v.description("how many there are, listed or not")),
});

export const Cancelling = v.object({ id: v.string(), request_id: v.string() });

export function toLiveRequest(live: HubRequest, position: number | null, clock: Clock): v.InferOutput<typeof LiveRequest> {
  const { id, request, phase } = live;
  const ageMs = clock.nowMs() - live.submittedAtMs;
  const dispatched = dispatchedOf(phase);
  return {
    id,
    request_id: request.publicId,
    key_id: request.key === ANONYMOUS ? null : request.key,
    model: request.model,
    path: request.path.replace(/\?.*$/s, ""),
    is_streaming: request.isStreaming,
    state: phase.kind,
    position,
    worker_id: dispatched?.worker ?? null,
    worker_name: dispatched?.workerName ?? null,
    attempts: dispatched?.tries ?? 0,
    arrived_at: Math.floor((clock.unixMs() - ageMs) / 1000),
    age_secs: Math.round(ageMs / 100) / 10,
  };
}

function dispatchedOf(phase: RequestPhase) {
  if (phase.kind === "queued") return null;
  return phase.kind === "dispatched" ? phase : phase.dispatched;
}
