// The workers, and for each model those with room, best first.
import { nearestNames } from "../base/nearest.ts";
import { ANY_MODEL } from "../protocol/registration.ts";
import type { WorkerId } from "./events.ts";
import { Heap, type HeapOrder } from "./heap.ts";
import { hasRoom, loadOf, type RequestRecord, type Seat, type WorkerRecord } from "./state.ts";

export class Roster {
  readonly workers = new Map<WorkerId, WorkerRecord>();
  /** Connected workers per model they list, whatever their state; "*" is an entry of its own. */
  readonly #offering = new Map<string, Set<WorkerRecord>>();
  /** Seats of workers with room, per model. */
  readonly #seats = new Map<string, Heap<Seat>>();
  /** When a model's last worker went, oldest first. */
  readonly #withdrawnAtMs = new Map<string, number>();
  readonly #byInstance = new Map<string, WorkerRecord>();

  add(worker: WorkerRecord): void {
    this.workers.set(worker.id, worker);
    if (worker.instance !== null) this.#byInstance.set(worker.instance, worker);
    this.#offer(worker);
  }

  remove(worker: WorkerRecord, nowMs: number): void {
    this.workers.delete(worker.id);
    if (worker.instance !== null && this.#byInstance.get(worker.instance) === worker) this.#byInstance.delete(worker.instance);
    this.#withdraw(worker, nowMs);
  }

  changeModels(worker: WorkerRecord, models: ReadonlySet<string>, nowMs: number): void {
    this.#withdraw(worker, nowMs);
    worker.models = models;
    this.#offer(worker);
  }

  ofInstance(instance: string | null): WorkerRecord | null {
    return instance === null ? null : (this.#byInstance.get(instance) ?? null);
  }

  /** Lists the worker under its models while it has room, by its load as of now. */
  seat(worker: WorkerRecord): void {
    if (!hasRoom(worker)) return this.unseat(worker);
    for (const seat of worker.seats) seat.others.update(seat);
  }

  /** Lists it nowhere. */
  unseat(worker: WorkerRecord): void {
    for (const seat of worker.seats) seat.others.remove(seat);
  }

  /** The best worker with room for this request, of those seated and of some that are not; or null. */
  pick(request: RequestRecord, standing: Iterable<WorkerRecord>): WorkerRecord | null {
    const { model, avoid } = request;
    let best: WorkerRecord | null = null;
    for (const name of [model, ANY_MODEL]) {
      const seats = this.#seats.get(name);
      if (seats === undefined) continue;
      if (avoid === null) best = betterOf(best, seats.peek()?.worker ?? null);
      else for (const { worker } of seats.items) if (!avoid.has(worker.id)) best = betterOf(best, worker);
    }
    for (const worker of standing) {
      const isOffering = worker.models.has(model) || worker.models.has(ANY_MODEL);
      if (isOffering && hasRoom(worker) && avoid?.has(worker.id) !== true) best = betterOf(best, worker);
    }
    return best;
  }

  isOffered(model: string): boolean {
    return this.#offering.has(model) || this.#offering.has(ANY_MODEL);
  }

  /** On offer now, or less than `graceMs` ago. */
  isKnown(model: string, nowMs: number, graceMs: number): boolean {
    if (this.isOffered(model)) return true;
    const wentAtMs = Math.max(this.#withdrawnAtMs.get(model) ?? -Infinity, this.#withdrawnAtMs.get(ANY_MODEL) ?? -Infinity);
    return nowMs - wentAtMs < graceMs;
  }

  /** Drops what was withdrawn longer ago than the grace; the map is in order of withdrawal. */
  forgetWithdrawn(nowMs: number, graceMs: number): void {
    for (const [model, atMs] of this.#withdrawnAtMs) {
      if (nowMs - atMs < graceMs) return;
      this.#withdrawnAtMs.delete(model);
    }
  }

  /** Connected workers whose list holds the model or "*". */
  *offering(model: string): Iterable<WorkerRecord> {
    yield* this.#offering.get(model) ?? [];
    for (const worker of this.#offering.get(ANY_MODEL) ?? []) if (!worker.models.has(model)) yield worker;
  }

  /** Does a worker that the request need not avoid offer its model? */
  isOfferedElsewhere(request: RequestRecord): boolean {
    for (const worker of this.offering(request.model)) if (request.avoid?.has(worker.id) !== true) return true;
    return false;
  }

  nearestModels(model: string): readonly string[] {
    return nearestNames(model, this.#offering.keys()).filter((name) => name !== ANY_MODEL);
  }

  #offer(worker: WorkerRecord): void {
    for (const model of worker.models) {
      const others = this.#offering.get(model);
      if (others !== undefined) {
        others.add(worker);
        continue;
      }
      this.#offering.set(model, new Set([worker]));
      this.#seats.set(model, new Heap(BEST_FIRST));
      this.#withdrawnAtMs.delete(model);
    }
    worker.seats = Array.from(worker.models, (model) => ({ model, worker, others: this.#seats.get(model)!, heapIndex: -1 }));
  }

  #withdraw(worker: WorkerRecord, nowMs: number): void {
    for (const seat of worker.seats) {
      seat.others.remove(seat);
      const others = this.#offering.get(seat.model)!;
      others.delete(worker);
      if (others.size > 0) continue;
      this.#offering.delete(seat.model);
      this.#seats.delete(seat.model);
      this.#withdrawnAtMs.set(seat.model, nowMs);
    }
    worker.seats = [];
  }
}

/** The rank is the load per slot; fractions that are equal are equal as numbers too. */
const BEST_FIRST: HeapOrder<Seat> = {
  rankOf: ({ worker }) => loadOf(worker) / worker.slots,
  isBefore: (a, b) => isBetter(a.worker, b.worker),
};

function betterOf(a: WorkerRecord | null, b: WorkerRecord | null): WorkerRecord | null {
  if (a === null || b === null) return a ?? b;
  return isBetter(b, a) ? b : a;
}

/** Least load per slot, then least load, then given work least recently. */
function isBetter(a: WorkerRecord, b: WorkerRecord): boolean {
  const [left, right] = [loadOf(a), loadOf(b)];
  if (left * b.slots !== right * a.slots) return left * b.slots < right * a.slots;
  if (left !== right) return left < right;
  return a.lastGiven < b.lastGiven;
}
