// The records the scheduler keeps: requests, attempts and workers, and how they point at each other.
import type { AttemptId, RequestId, WorkerId } from "./events.ts";
import type { Heap, HeapItem } from "./heap.ts";

/** Something that becomes due: a request's nearest deadline, an unanswered cancel, the end of a cool-down. */
interface Scheduled extends HeapItem {
  dueAtMs: number;
}

export interface RequestRecord extends Scheduled {
  readonly kind: "request";
  readonly id: RequestId;
  readonly model: string;
  readonly key: string;
  readonly bytes: number;
  readonly isStreaming: boolean;
  /** Slots its key may hold at once; 0: no limit. */
  readonly keyLimit: number;
  readonly arrivedAtMs: number;
  /** Place in the order of all arrivals; breaks ties between equal tags. */
  readonly order: number;
  /** Start-time-fair tag, given at arrival and kept on requeue. */
  readonly tag: number;
  state: RequestState;
  /** Waiting time of earlier waits. */
  waitedMs: number;
  tries: number;
  requeues: number;
  drops: number;
  /** Workers whose backend refused or dropped it; null until there is one. */
  avoid: Set<WorkerId> | null;
}

export type RequestState =
  | { readonly kind: "queued"; readonly sinceMs: number }
  | { readonly kind: "dispatched"; readonly attempt: Attempt }
  | { readonly kind: "streaming"; readonly attempt: Attempt }
  | { readonly kind: "over" };

/** One slot of one worker, taken. It is given back exactly once: when the attempt leaves the scheduler's table. */
export interface Attempt extends Scheduled {
  readonly kind: "attempt";
  readonly id: AttemptId;
  readonly worker: WorkerRecord;
  /** Whose slot it is; see RequestRecord.key. */
  readonly key: string;
  /** Null once cancelled: nobody wants the answer, but the slot is still taken. */
  request: RequestRecord | null;
}

export interface WorkerRecord extends Scheduled {
  readonly kind: "worker";
  readonly id: WorkerId;
  readonly instance: string | null;
  readonly slots: number;
  models: ReadonlySet<string>;
  readonly attempts: Set<Attempt>;
  /** Load beyond ours, as of its last report. */
  external: number;
  isDraining: boolean;
  /** It turned work away: nothing more until it reports its load. */
  isFull: boolean;
  isCoolingDown: boolean;
  /** Cool-downs in a row without an answer between them. */
  coolDowns: number;
  /** When it was last given work, on the scheduler's own count of dispatches; before that, its place of joining (negative). */
  lastGiven: number;
  /** Its place in the index of each model it serves. */
  seats: readonly Seat[];
}

/** A worker with room, as listed under one of its models. */
export interface Seat extends HeapItem {
  readonly model: string;
  readonly worker: WorkerRecord;
  /** Those with room for this model; found once, because a seat moves with every change of its worker's load. */
  readonly others: Heap<Seat>;
}

// ---- what others may know of the books ----

export interface WorkerStanding {
  /** Cancelled requests that are not accounted for included. */
  readonly slotsTaken: number;
  readonly isCoolingDown: boolean;
}

export interface SchedulerCounts {
  /** Requests that wait, and the bytes of their bodies. */
  readonly queued: number;
  readonly queuedBytes: number;
  /** All live requests, waiting or not. */
  readonly requests: number;
  /** Slots taken, cancelled attempts that are not accounted for included. */
  readonly inFlight: number;
  readonly workers: number;
}

/** In-flight (cancelled ones included) plus what the worker reports beyond that. */
export function loadOf(worker: WorkerRecord): number {
  return worker.attempts.size + worker.external;
}

export function hasRoom(worker: WorkerRecord): boolean {
  return !worker.isDraining && !worker.isFull && !worker.isCoolingDown && loadOf(worker) < worker.slots;
}
