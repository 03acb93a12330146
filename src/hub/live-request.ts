// One request from its submission to its end, as the hub sees it.
import type { Timer } from "../base/clock.ts";
import type { AttemptId, RequestId, WorkerId } from "../scheduler/events.ts";
import type { AnswerBody } from "./answer-body.ts";
import type { Reservation } from "./byte-budget.ts";
import type { ClientHandle, RelayRequest } from "./handles.ts";

export interface LiveRequest {
  readonly id: RequestId;
  /** Without its body once the answer has begun: it can not be sent again. */
  request: RelayRequest;
  readonly client: ClientHandle;
  readonly submittedAtMs: number;
  /** Its body's share of the relay's memory; given back with the body, at the first byte of the answer. */
  readonly reservation: Reservation;
  phase: RequestPhase;
}

export type RequestPhase =
  | { readonly kind: "queued" }
  | Dispatched
  | { readonly kind: "answering"; readonly dispatched: Dispatched; readonly body: AnswerBody; readonly watch: Timer };

export interface Dispatched {
  readonly kind: "dispatched";
  readonly attempt: AttemptId;
  readonly worker: WorkerId;
  readonly workerName: string;
  readonly tries: number;
  readonly queuedMs: number;
}
