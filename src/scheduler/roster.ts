// The workers, and for each model those with room, best first.
import { nearestNames } from "../base/nearest.ts";
import { ANY_MODEL } from "../protocol/registration.ts";
import type { WorkerId } from "./events.ts";
import { Heap } from "./heap.ts";
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
  reseat(worker: WorkerRecord): void {
    const isSeated = hasRoom(worker);
    worker.seatedLoad = loadOf(worker);
    for (const seat of worker.seats) {
      if (isSeated) seat.others.update(seat);
      else seat.others.remove(seat);
    }
  }

  /** The best worker with room for this request, or null. */
  pick(request: RequestRecord): WorkerRecord | null {
    const own = this.#seats.get(request.model);
    const any = this.#seats.get(ANY_MODEL);
    if (request.avoid !== null) return bestOf([...(own?.items ?? []), ...(any?.items ?? [])], request.avoid);
    const first = own?.peek();
    const second = any?.peek();
    if (first === undefined || second === undefined) return (first ?? second)?.worker ?? null;
    return isBetterSeat(second, first) ? second.worker : first.worker;
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
      this.#seats.set(model, new Heap(isBetterSeat));
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

/** Least load per slot, then least load, then given work least recently. */
function isBetterSeat(a: Seat, b: Seat): boolean {
  const left = a.worker.seatedLoad * b.worker.slots;
  const right = b.worker.seatedLoad * a.worker.slots;
  if (left !== right) return left < right;
  if (a.worker.seatedLoad !== b.worker.seatedLoad) return a.worker.seatedLoad < b.worker.seatedLoad;
  return a.worker.lastGiven < b.worker.lastGiven;
}

function bestOf(seats: readonly Seat[], avoid: ReadonlySet<WorkerId>): WorkerRecord | null {
  let best: Seat | null = null;
  for (const seat of seats) {
    if (avoid.has(seat.worker.id)) continue;
    if (best === null || isBetterSeat(seat, best)) best = seat;
  }
  return best?.worker ?? null;
}
