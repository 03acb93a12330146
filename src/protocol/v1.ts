// Worker protocol v1 (`2026-04-bridge-v1`), as existing fleets speak it: JSON text frames only, whole bodies as strings.
import * as v from "valibot";
import * as s from "./schema.ts";

const request = v.object({
  type: v.literal("request"),
  request_id: v.string(),
  model: v.string(),
  endpoint_path: v.string(),
  is_streaming: v.boolean(),
  body: v.string(),
  headers: v.nullish(s.headers),
});
const cancel = v.object({ type: v.literal("cancel"), request_id: v.string(), reason: v.nullish(s.cancelReason) });

const responseChunk = v.object({ type: v.literal("response_chunk"), request_id: v.string(), chunk: v.string() });
const responseComplete = v.object({
  type: v.literal("response_complete"),
  request_id: v.string(),
  status_code: s.count,
  headers: v.nullish(s.headers),
  body: v.nullish(v.string()),
  token_counts: v.nullish(s.tokenCounts),
});
const error = v.object({
  type: v.literal("error"),
  request_id: v.nullish(v.string()),
  code: v.nullish(v.string()),
  message: v.nullish(v.string()),
});

/** What a v1 worker may send after `register`. */
export const v1WorkerMessage = v.variant("type", [s.modelsUpdate, responseChunk, responseComplete, s.pong, error]);
export type V1WorkerMessage = v.InferOutput<typeof v1WorkerMessage>;

/** What a v1 relay may send. */
export const v1RelayMessage = v.variant("type", [s.registerAck, request, cancel, s.ping, s.gracefulShutdown, s.modelsRefresh]);
export type V1RelayMessage = v.InferOutput<typeof v1RelayMessage>;
