// The two seams of the hub: who asks (ClientHandle, implemented by edge) and who answers (WorkerHandle, implemented by link).
import type { Refusal } from "../base/errors.ts";
import type { Close } from "../protocol/close.ts";
import type { AttemptId, CancelCause, RequestId } from "../scheduler/events.ts";
import type { AnswerBody } from "./answer-body.ts";

/** A request the edge has read and checked. */
export interface RelayRequest {
  /** What the client and the logs call it: its own `x-request-id` if that was sane. */
  readonly publicId: string;
  readonly model: string;
  /** Fairness identity: the API key's id, or ANONYMOUS. */
  readonly key: string;
  /** Slots the key may hold at once; 0: no limit. */
  readonly keyLimit: number;
  /** Path and query, as the client sent them. */
  readonly path: string;
  /** Lower-case names; already through the allow-list. */
  readonly headers: Readonly<Record<string, string>>;
  readonly isStreaming: boolean;
  readonly body: Uint8Array;
}

/** The fairness identity of everyone who sends no API key. */
export const ANONYMOUS = "anonymous";

/** How a request came to its answer; shown in response headers. */
export interface AnswerRoute {
  readonly workerName: string;
  readonly queuedMs: number;
  readonly tries: number;
}

export interface AnswerHead {
  readonly status: number;
  /** As the backend sent them, lower-case names. Nothing has been filtered yet. */
  readonly headers: Readonly<Record<string, string>>;
}

/** One client waiting for one answer. Each request ends in `onRefused`, or in `onAnswer` and then the end of its body. */
export interface ClientHandle {
  onAnswer(head: AnswerHead, body: AnswerBody, route: AnswerRoute): void;
  /** Before `onAnswer` only: later failures arrive through the body, behind the bytes that came before them. */
  onRefused(refusal: Refusal): void;
}

/** One try of a request on one worker. */
export interface Job {
  readonly attempt: AttemptId;
  readonly request: RelayRequest;
}

/** One connected worker. */
export interface WorkerHandle {
  /** False: it could not be sent, and nothing of it was processed. */
  send(job: Job): boolean;
  /** The answer is no longer wanted. The handle reports when the worker has accounted for it. */
  cancel(attempt: AttemptId, cause: CancelCause): void;
  /** Tell it to finish and to come back later: it gets no requests from here on. */
  shutDown(reason: string, drainTimeoutMs: number, reconnectAfterMs: number): void;
  /** Ask it to look at its backend's models again. */
  refreshModels(reason: string): void;
  close(close: Close): void;
}

/** What the hub knows of a connected worker, as registration left it. */
export interface WorkerInfo {
  readonly name: string;
  readonly provider: string;
  readonly instance: string | null;
  readonly slots: number;
  readonly models: readonly string[];
  /** Routable, but not shown in `GET /v1/models`. */
  readonly unlisted: readonly string[];
  readonly load: number;
  readonly protocol: string;
  readonly version: string | null;
  readonly address: string;
}

export type { RequestId };
