// The waiting requests: per model, fair between keys, and the earliest of any set of models in O(log n).
import { Fairness } from "./fairness.ts";
import { Heap, type HeapItem } from "./heap.ts";
import { isEarlier, Lane } from "./lane.ts";
import { ANY_MODEL } from "../protocol/registration.ts";
import type { RequestRecord, WorkerRecord } from "./state.ts";

export class Queue {
  readonly fairness = new Fairness();
  readonly #models = new Map<string, ModelQueue>();
  /** Models by their earliest request, for workers that serve any. */
  readonly #byHead = new Heap<ModelQueue>((a, b) => isEarlier(a.head, b.head));
  /** Models some of whose requests must avoid a worker. */
  readonly #picky = new Set<ModelQueue>();
  #size = 0;
  #bytes = 0;

  get size(): number {
    return this.#size;
  }

  /** Bytes of the bodies that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  add(request: RequestRecord): void {
    this.#size++;
    this.#bytes += request.bytes;
    const model = this.#modelOf(request.model);
    model.add(request);
    this.#place(model);
  }

  remove(request: RequestRecord): void {
    this.#size--;
    this.#bytes -= request.bytes;
    const model = this.#modelOf(request.model);
    model.remove(request);
    this.#place(model);
    if (model.size === 0) this.#models.delete(request.model);
  }

  /** The request whose turn it is among those this worker may serve, or null. */
  earliestFor(worker: WorkerRecord): RequestRecord | null {
    let best: RequestRecord | null = null;
    const consider = (candidate: RequestRecord | null): void => {
      if (candidate !== null && (best === null || isEarlier(candidate, best))) best = candidate;
    };
    if (worker.models.has(ANY_MODEL)) {
      consider(this.#byHead.peek()?.head ?? null);
      for (const model of this.#picky) consider(model.earliestPicky(worker));
      return best;
    }
    for (const name of worker.models) {
      const model = this.#models.get(name);
      if (model === undefined) continue;
      consider(model.hasHead ? model.head : null);
      consider(model.earliestPicky(worker));
    }
    return best;
  }

  /** 1: next for its model. */
  position(request: RequestRecord): number {
    return this.#modelOf(request.model).countBefore(request) + 1;
  }

  /** Waiting requests per model. */
  *depths(): Iterable<readonly [model: string, size: number]> {
    for (const [name, model] of this.#models) yield [name, model.size];
  }

  #modelOf(name: string): ModelQueue {
    let model = this.#models.get(name);
    if (model === undefined) {
      model = new ModelQueue();
      this.#models.set(name, model);
    }
    return model;
  }

  #place(model: ModelQueue): void {
    if (model.hasHead) this.#byHead.update(model);
    else this.#byHead.remove(model);
    if (model.hasPicky) this.#picky.add(model);
    else this.#picky.delete(model);
  }
}

class ModelQueue implements HeapItem {
  heapIndex = -1;
  readonly #lanes = new Map<string, Lane>();
  readonly #byHead = new Heap<Lane>((a, b) => isEarlier(a.head, b.head));
  /** Requests that must avoid a worker, in the order of their turns. Few: each cost a failed attempt. */
  readonly #picky = new Lane("");
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get hasHead(): boolean {
    return this.#byHead.size > 0;
  }

  /** The earliest request any worker may serve; see hasHead. */
  get head(): RequestRecord {
    return this.#byHead.peek()!.head;
  }

  get hasPicky(): boolean {
    return this.#picky.size > 0;
  }

  add(request: RequestRecord): void {
    this.#size++;
    if (request.avoid !== null) return this.#picky.add(request);
    let lane = this.#lanes.get(request.key);
    if (lane === undefined) {
      lane = new Lane(request.key);
      this.#lanes.set(request.key, lane);
    }
    lane.add(request);
    this.#byHead.update(lane);
  }

  remove(request: RequestRecord): void {
    this.#size--;
    if (request.avoid !== null) return this.#picky.remove(request);
    const lane = this.#lanes.get(request.key)!;
    lane.remove(request);
    if (lane.size > 0) return this.#byHead.update(lane);
    this.#byHead.remove(lane);
    this.#lanes.delete(request.key);
  }

  earliestPicky(worker: WorkerRecord): RequestRecord | null {
    if (this.#picky.size === 0) return null;
    for (const request of this.#picky) if (request.avoid?.has(worker.id) !== true) return request;
    return null;
  }

  countBefore(request: RequestRecord): number {
    let before = this.#picky.size > 0 ? this.#picky.countBefore(request) : 0;
    for (const lane of this.#lanes.values()) before += lane.countBefore(request);
    return before;
  }
}
