// The scheduler's whole vocabulary: what it is told and what it answers. Ids, model names and numbers only; never bodies or bytes.
import type { RefusalCode } from "../base/errors.ts";

/** Made by the hub, never by a client. */
export type RequestId = string;
export type WorkerId = string;
/** One dispatch of one request. Never reused; a requeue is a new attempt. */
export type AttemptId = number;

export type SchedulerEvent =
  | RequestArrived
  /** The client hung up, or somebody on its behalf: the request ends without an answer. */
  | { readonly type: "client-left"; readonly request: RequestId }
  /** The hub ends a request for a cause only it can see (silence between chunks, a stalled client, an operator's cancel). */
  | { readonly type: "request-failed"; readonly request: RequestId; readonly code: RefusalCode }
  | WorkerJoined
  | { readonly type: "worker-left"; readonly worker: WorkerId; readonly how: "clean" | "lost" }
  /** It takes no more work: its own SIGTERM, or an operator. */
  | { readonly type: "worker-draining"; readonly worker: WorkerId }
  /** Undoes `worker-draining`. */
  | { readonly type: "worker-resumed"; readonly worker: WorkerId }
  | { readonly type: "worker-models-changed"; readonly worker: WorkerId; readonly models: readonly string[] }
  /** Requests running on the worker's backend by its own count, ours included. */
  | { readonly type: "worker-load-reported"; readonly worker: WorkerId; readonly load: number }
  /** The worker did not start it (or it was never sent): may go elsewhere at no cost. */
  | { readonly type: "attempt-rejected"; readonly attempt: AttemptId; readonly reason: "draining" | "full" | "unsent" }
  /** The first byte of the backend's answer (its status and headers) is there: no requeue from here on. */
  | { readonly type: "response-started"; readonly attempt: AttemptId }
  | { readonly type: "response-ended"; readonly attempt: AttemptId; readonly outcome: ResponseOutcome }
  /** A cancelled attempt's slot is free again. */
  | { readonly type: "cancel-acknowledged"; readonly attempt: AttemptId }
  /** The relay itself drains: no new admissions; what waits is still served. */
  | { readonly type: "relay-draining" }
  /** Nothing but time passed: answers a `wake`. Every event does what is due first. */
  | { readonly type: "tick" };

export interface RequestArrived {
  readonly type: "request-arrived";
  readonly request: RequestId;
  readonly model: string;
  /** Whose turn it takes: the API key's id, or one shared name for all who have none. */
  readonly key: string;
  /** Size of the body it holds in memory while it waits. */
  readonly bytes: number;
  readonly isStreaming: boolean;
  /** How many slots its key may hold at once; beyond that its requests wait. Missing or 0: no limit. */
  readonly keyLimit?: number;
}

export interface WorkerJoined {
  readonly type: "worker-joined";
  readonly worker: WorkerId;
  /** Same instance, newer connection: the older one is superseded. Null for v1 workers. */
  readonly instance: string | null;
  /** Cleaned by registration; may hold "*". */
  readonly models: readonly string[];
  readonly slots: number;
  readonly load: number;
}

/**
 * 1. `ok`                 the answer is complete
 * 2. `connection-refused` the backend took no connection: nothing was processed
 * 3. `dropped`            the backend closed before it answered: it may have died of this request
 * 4. `failed`             the answer broke off or was not usable: not tried again
 */
export type ResponseOutcome = "ok" | "connection-refused" | "dropped" | "failed";

export type Effect =
  | DispatchEffect
  /** The attempt's answer is no longer wanted; its slot stays taken until the worker accounts for it. */
  | { readonly type: "cancel"; readonly attempt: AttemptId; readonly worker: WorkerId; readonly cause: CancelCause }
  /** The request ends with this error: as a status if nothing was sent yet, in-band otherwise. */
  | RefuseEffect
  /** The request is over (answered in full, or its client left) and forgotten. Each request ends in exactly one `refuse` or `end`. */
  | { readonly type: "end"; readonly request: RequestId }
  /** Back in the queue at its old place. For logs and for the client's queue position. */
  | { readonly type: "requeued"; readonly request: RequestId; readonly attempt: AttemptId; readonly cause: RequeueCause }
  | { readonly type: "close-worker"; readonly worker: WorkerId; readonly cause: "superseded" | "cancel-unanswered" }
  /** A draining worker has nothing left to do. */
  | { readonly type: "worker-drained"; readonly worker: WorkerId }
  /** Send a `tick` at this time (the earliest one counts; an earlier wake may be dropped). */
  | { readonly type: "wake"; readonly atMs: number };

export interface DispatchEffect {
  readonly type: "dispatch";
  readonly request: RequestId;
  readonly worker: WorkerId;
  readonly attempt: AttemptId;
  /** 1 for the first try of this request. */
  readonly tries: number;
  /** Time it has spent waiting so far, all tries together. */
  readonly waitedMs: number;
}

export interface RefuseEffect {
  readonly type: "refuse";
  readonly request: RequestId;
  readonly code: RefusalCode;
  /** `model_not_found` and `no_workers`: the nearest names on offer, best first. */
  readonly nearest: readonly string[];
}

export type CancelCause = "client-left" | "timeout" | "failed";
export type RequeueCause = "worker-lost" | "rejected" | "connection-refused" | "dropped";

/** All times in milliseconds; 0 switches a deadline or the count limit off. */
export interface SchedulerLimits {
  /** Time spent waiting, requeues included. */
  readonly queueTimeoutMs: number;
  /** From arrival to the backend's first byte; for a request that does not stream, to its whole answer. */
  readonly requestTimeoutMs: number;
  /** From arrival to the end of the answer. */
  readonly totalTimeoutMs: number;
  readonly maxQueueLength: number;
  readonly maxQueueBytes: number;
  readonly maxRequeues: number;
  /** How long a model nobody offers (any more, or yet) is still waited for. */
  readonly modelGraceMs: number;
  readonly cancelAckMs: number;
  readonly coolDownMinMs: number;
  readonly coolDownMaxMs: number;
}

/** The defaults of `modelrelay serve`. */
export const DEFAULT_LIMITS: SchedulerLimits = {
  queueTimeoutMs: 30_000,
  requestTimeoutMs: 300_000,
  totalTimeoutMs: 0,
  maxQueueLength: 100,
  maxQueueBytes: 256 * 1024 * 1024,
  maxRequeues: 3,
  modelGraceMs: 30_000,
  cancelAckMs: 10_000,
  coolDownMinMs: 1_000,
  coolDownMaxMs: 30_000,
};
