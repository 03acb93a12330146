// Worker protocol v2 (`2026-11-bridge-v2`): JSON control messages with the v1 names, extended; bodies as binary frames (frames.ts).
import * as v from "valibot";
import * as s from "./schema.ts";

const request = v.object({
  type: v.literal("request"),
  attempt: s.attemptNumber,
  request_id: v.string(),
  model: v.string(),
  method: v.picklist(["POST"]),
  /** Path and query string, as the client sent them: `/v1/messages?beta=true`. */
  path: v.string(),
  headers: s.headers,
  is_streaming: v.boolean(),
  /** Bytes of request body that follow in body frames. */
  body_length: s.count,
});
const cancel = v.object({ type: v.literal("cancel"), attempt: s.attemptNumber, reason: v.nullish(s.cancelReason) });
const credit = v.object({ type: v.literal("credit"), attempt: s.attemptNumber, bytes: s.positiveCount });

const responseStart = v.object({
  type: v.literal("response_start"),
  attempt: s.attemptNumber,
  status_code: s.count,
  headers: s.headers,
});

/**
 * Why an answer ended badly, which decides whether the request is tried elsewhere:
 * `connection_refused` the backend took no connection; `dropped` it closed before answering; `broken` it broke off or broke HTTP;
 * `too_large` the answer passed a limit.
 */
export const END_ERROR_KINDS = ["connection_refused", "dropped", "broken", "too_large"] as const;
export type EndErrorKind = (typeof END_ERROR_KINDS)[number];

const responseEnd = v.object({
  type: v.literal("response_end"),
  attempt: s.attemptNumber,
  token_counts: v.nullish(s.tokenCounts),
  /** `message` is for the relay's log only; it never reaches a client. */
  error: v.nullish(v.object({ kind: v.fallback(v.picklist(END_ERROR_KINDS), "broken"), message: v.nullish(v.string()) })),
});
/** The attempt was not started and may go elsewhere at no cost. */
export const REJECT_REASONS = ["draining", "full"] as const;
export type RejectReason = (typeof REJECT_REASONS)[number];
const reject = v.object({
  type: v.literal("reject"),
  attempt: s.attemptNumber,
  reason: v.fallback(v.picklist(REJECT_REASONS), "full"),
});
/** Answers every `cancel`, whatever crossed it on the wire. */
const cancelled = v.object({ type: v.literal("cancelled"), attempt: s.attemptNumber });
const draining = v.object({ type: v.literal("draining"), timeout_secs: v.nullish(v.number()) });
const error = v.object({ type: v.literal("error"), code: v.nullish(v.string()), message: v.nullish(v.string()) });

/** What a v2 worker may send after the acknowledged `register`. */
export const v2WorkerMessage = v.variant("type", [
  responseStart,
  responseEnd,
  reject,
  cancelled,
  credit,
  draining,
  s.modelsUpdate,
  s.pong,
  error,
]);
export type V2WorkerMessage = v.InferOutput<typeof v2WorkerMessage>;

/** What a v2 relay may send after `register_ack`. */
export const v2RelayMessage = v.variant("type", [request, cancel, credit, s.ping, s.gracefulShutdown, s.modelsRefresh]);
export type V2RelayMessage = v.InferOutput<typeof v2RelayMessage>;
export type V2Request = v.InferOutput<typeof request>;
