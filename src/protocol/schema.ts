// The pieces the v1 and v2 messages are made of.
import * as v from "valibot";

export const V1 = "2026-04-bridge-v1";
export const V2 = "2026-11-bridge-v2";
export type ProtocolVersion = typeof V1 | typeof V2;

export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const positiveCount = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
export const attemptNumber = v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(0xffff_ffff));
export const headers = v.record(v.string(), v.string());
const names = v.array(v.string());

/** Reasons of the field protocol; anything else travels as `{ other }`. */
export const cancelReason = v.union([
  v.picklist(["client_disconnect", "timeout", "graceful_shutdown", "worker_disconnect", "requeue_exhausted", "server_shutdown"]),
  v.object({ other: v.string() }),
]);

export const tokenCounts = v.object({
  prompt_tokens: v.nullish(count),
  completion_tokens: v.nullish(count),
  total_tokens: v.nullish(count),
});
export type TokenCounts = v.InferOutput<typeof tokenCounts>;

/** First frame of a worker. The fields after `current_load` are v2's; a v1 relay ignores them. */
export const register = v.object({
  type: v.literal("register"),
  worker_name: v.string(),
  models: names,
  max_concurrent: v.pipe(v.number(), v.integer(), v.minValue(0)),
  protocol_version: v.nullish(v.string()),
  current_load: v.nullish(count),
  protocols: v.nullish(names),
  instance_id: v.nullish(v.string()),
  version: v.nullish(v.string()),
  /** Models that are routable but not worth listing in `GET /v1/models` (the catch-all `default`). */
  unlisted_models: v.nullish(names),
});
export type Register = v.InferOutput<typeof register>;

export const registerAck = v.object({
  type: v.literal("register_ack"),
  worker_id: v.string(),
  models: names,
  warnings: v.nullish(names),
  protocol_version: v.nullish(v.string()),
  /** v2: the slots the relay granted, which may be fewer than asked for. */
  max_concurrent: v.nullish(positiveCount),
});
export type RegisterAck = v.InferOutput<typeof registerAck>;

export const modelsUpdate = v.object({
  type: v.literal("models_update"),
  models: names,
  current_load: v.nullish(count),
  unlisted_models: v.nullish(names),
});
export const pong = v.object({ type: v.literal("pong"), current_load: v.nullish(count), timestamp_unix_ms: v.nullish(v.number()) });
export const ping = v.object({ type: v.literal("ping"), timestamp_unix_ms: v.nullish(v.number()) });
export const modelsRefresh = v.object({ type: v.literal("models_refresh"), reason: v.nullish(v.string()) });
export const gracefulShutdown = v.object({
  type: v.literal("graceful_shutdown"),
  reason: v.nullish(v.string()),
  drain_timeout_secs: v.nullish(v.number()),
  /** v2: how long to wait before coming back. */
  reconnect_after_secs: v.nullish(v.number()),
});
