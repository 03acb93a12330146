// The waiting requests: per model, fair between keys, and the earliest of any set of models in O(log n).
import { Fairness } from "./fairness.ts";
import { Heap, type HeapItem, type HeapOrder } from "./heap.ts";
import { isEarlier, Lane } from "./lane.ts";
import { ANY_MODEL } from "../protocol/registration.ts";
import type { RequestRecord, WorkerRecord } from "./state.ts";

export class Queue {
  readonly fairness = new Fairness();
  readonly #models = new Map<string, ModelQueue>();
  /** Models by their earliest request, for workers that serve any. */
  readonly #byHead = new Heap<ModelQueue>(BY_HEAD);
  /** Models some of whose requests must avoid a worker. */
  readonly #picky = new Set<ModelQueue>();
  /** Keys at their limit: their requests wait, whoever is free. */
  readonly #blocked = new Set<string>();
  readonly #keys = new Map<string, KeyInQueue>();
  readonly #byWaiting = new Heap<KeyInQueue>(MOST_WAITING_FIRST);
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
    let key = this.#keys.get(request.key);
    if (key === undefined) {
      key = { name: request.key, waiting: 0, models: new Map(), heapIndex: -1 };
      this.#keys.set(request.key, key);
    }
    key.waiting++;
    key.models.set(model, (key.models.get(model) ?? 0) + 1);
    this.#byWaiting.update(key);
  }

  remove(request: RequestRecord): void {
    this.#size--;
    this.#bytes -= request.bytes;
    const model = this.#modelOf(request.model);
    model.remove(request);
    this.#place(model);
    if (model.size === 0) this.#models.delete(request.model);
    const key = this.#keys.get(request.key)!;
    const left = key.models.get(model)! - 1;
    if (left > 0) key.models.set(model, left);
    else key.models.delete(model);
    key.waiting--;
    if (key.waiting > 0) return this.#byWaiting.update(key);
    this.#byWaiting.remove(key);
    this.#keys.delete(request.key);
  }

  /**
   * Who has to go now that one too many waits: the newest request of the key that has most of them, so that nobody's flood keeps
   * others out; or the one that has just come, when no key has more than its own. What was tried already is never it.
   */
  oneTooMany(arrived: RequestRecord): RequestRecord {
    const crowd = this.#byWaiting.peek()!;
    if (crowd.waiting <= this.#keys.get(arrived.key)!.waiting) return arrived;
    let newest: RequestRecord | null = null;
    for (const model of crowd.models.keys()) {
      const last = model.lastOf(crowd.name);
      if (last !== null && last.tries === 0 && (newest === null || last.order > newest.order)) newest = last;
    }
    return newest ?? arrived;
  }

  isBlocked(key: string): boolean {
    return this.#blocked.has(key);
  }

  /** The key is at its limit: nothing of it is given out until `unblock`. */
  block(key: string): void {
    if (this.#blocked.has(key)) return;
    this.#blocked.add(key);
    this.#replace(key);
  }

  unblock(key: string): void {
    if (this.#blocked.delete(key)) this.#replace(key);
  }

  /** The requests of a key that may be next, one or a few per model, in the order of their turns. */
  candidatesOf(key: string): readonly RequestRecord[] {
    const candidates: RequestRecord[] = [];
    for (const model of this.#keys.get(key)?.models.keys() ?? []) candidates.push(...model.candidatesOf(key));
    return candidates.sort((a, b) => (isEarlier(a, b) ? -1 : 1));
  }

  /** The request whose turn it is among those this worker may serve, or null. */
  earliestFor(worker: WorkerRecord): RequestRecord | null {
    let best: RequestRecord | null = null;
    if (worker.models.has(ANY_MODEL)) {
      best = this.#byHead.peek()?.head ?? null;
      for (const model of this.#picky) best = earlierOf(best, model.earliestPicky(worker));
      return best;
    }
    for (const name of worker.models) {
      const model = this.#models.get(name);
      if (model === undefined) continue;
      best = earlierOf(best, model.head);
      best = earlierOf(best, model.earliestPicky(worker));
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
      model = new ModelQueue(this.#blocked);
      this.#models.set(name, model);
    }
    return model;
  }

  #replace(key: string): void {
    for (const model of this.#keys.get(key)?.models.keys() ?? []) {
      model.placeLane(key);
      this.#place(model);
    }
  }

  #place(model: ModelQueue): void {
    if (model.head !== null) this.#byHead.update(model);
    else this.#byHead.remove(model);
    if (model.hasPicky) this.#picky.add(model);
    else this.#picky.delete(model);
  }
}

/** What a key has waiting, and where. */
interface KeyInQueue extends HeapItem {
  readonly name: string;
  waiting: number;
  readonly models: Map<ModelQueue, number>;
}

const MOST_WAITING_FIRST: HeapOrder<KeyInQueue> = {
  rankOf: ({ waiting }) => -waiting,
  isBefore: (a, b) => a.name < b.name,
};

/** What has waiting requests, by the one whose turn it is: `isEarlier`, with the tag as its rank. */
const BY_HEAD: HeapOrder<{ readonly head: RequestRecord | null }> = {
  rankOf: ({ head }) => head!.tag,
  isBefore: (a, b) => isEarlier(a.head!, b.head!),
};

class ModelQueue implements HeapItem {
  heapIndex = -1;
  /** The earliest request any worker may serve, or null. A freed slot looks at that of each model its worker serves. */
  head: RequestRecord | null = null;
  readonly #lanes = new Map<string, Lane>();
  readonly #byHead = new Heap<Lane>(BY_HEAD);
  /** Requests that must avoid a worker, in the order of their turns. Few: each cost a failed attempt. */
  readonly #picky = new Lane("");
  readonly #blocked: ReadonlySet<string>;
  #size = 0;

  constructor(blocked: ReadonlySet<string>) {
    this.#blocked = blocked;
  }

  get size(): number {
    return this.#size;
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
    this.placeLane(request.key);
  }

  /** Lists the key's lane by its head, or not at all while the key is blocked. */
  placeLane(key: string): void {
    const lane = this.#lanes.get(key);
    if (lane === undefined) return;
    if (this.#blocked.has(key)) this.#byHead.remove(lane);
    else this.#byHead.update(lane);
    this.head = this.#byHead.peek()?.head ?? null;
  }

  /** The key's last in turn, which is its newest; requests that must avoid a worker aside. */
  lastOf(key: string): RequestRecord | null {
    return this.#lanes.get(key)?.last ?? null;
  }

  *candidatesOf(key: string): Iterable<RequestRecord> {
    const lane = this.#lanes.get(key);
    if (lane !== undefined) yield lane.head;
    for (const request of this.#picky) if (request.key === key) yield request;
  }

  remove(request: RequestRecord): void {
    this.#size--;
    if (request.avoid !== null) return this.#picky.remove(request);
    const lane = this.#lanes.get(request.key)!;
    lane.remove(request);
    if (lane.size > 0) return this.placeLane(request.key);
    this.#byHead.remove(lane);
    this.head = this.#byHead.peek()?.head ?? null;
    this.#lanes.delete(request.key);
  }

  earliestPicky(worker: WorkerRecord): RequestRecord | null {
    if (this.#picky.size === 0) return null;
    for (const request of this.#picky) {
      if (request.avoid?.has(worker.id) !== true && !this.#blocked.has(request.key)) return request;
    }
    return null;
  }

  countBefore(request: RequestRecord): number {
    let before = this.#picky.size > 0 ? this.#picky.countBefore(request) : 0;
    for (const lane of this.#lanes.values()) before += lane.countBefore(request);
    return before;
  }
}

function earlierOf(a: RequestRecord | null, b: RequestRecord | null): RequestRecord | null {
  if (a === null || b === null) return a ?? b;
  return isEarlier(b, a) ? b : a;
}
