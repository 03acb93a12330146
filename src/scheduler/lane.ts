// The waiting requests of one API key for one model, in the order of their turns.
import type { HeapItem } from "./heap.ts";
import type { RequestRecord } from "./state.ts";

/** Lower tag first, then arrival. */
export function isEarlier(a: RequestRecord, b: RequestRecord): boolean {
  return a.tag !== b.tag ? a.tag < b.tag : a.order < b.order;
}

/**
 * A sorted array with a moving start. Arrivals append, the next one leaves at the front; one that leaves from the middle
 * stays as a gap until the gaps outnumber the rest, which keeps every operation O(log n) on average.
 */
export class Lane implements HeapItem {
  heapIndex = -1;
  readonly key: string;
  #entries: { readonly request: RequestRecord; isGap: boolean }[] = [];
  #start = 0;
  #gaps = 0;

  constructor(key: string) {
    this.key = key;
  }

  get size(): number {
    return this.#entries.length - this.#start - this.#gaps;
  }

  /** The next one's turn; the lane must not be empty. */
  get head(): RequestRecord {
    return this.#entries[this.#start]!.request;
  }

  /** The last one's turn; the lane must not be empty. */
  get last(): RequestRecord {
    let index = this.#entries.length - 1;
    while (this.#entries[index]!.isGap) index--;
    return this.#entries[index]!.request;
  }

  add(request: RequestRecord): void {
    const index = this.#indexOf(request);
    const entry = { request, isGap: false };
    if (index === this.#start && this.#start > 0) this.#entries[--this.#start] = entry;
    else if (index === this.#entries.length) this.#entries.push(entry);
    else this.#entries.splice(index, 0, entry);
  }

  remove(request: RequestRecord): void {
    const entry = this.#entries[this.#indexOf(request)]!;
    entry.isGap = true;
    this.#gaps++;
    while (this.#entries[this.#start]?.isGap === true) {
      this.#start++;
      this.#gaps--;
    }
    if (this.#start + this.#gaps > COMPACT_AT_LEAST && this.#start + this.#gaps > this.size) this.#compact();
  }

  /** How many of this lane come before `request`, which may belong to another lane. */
  countBefore(request: RequestRecord): number {
    if (this.#gaps > 0) this.#compact();
    return this.#indexOf(request) - this.#start;
  }

  *[Symbol.iterator](): Iterator<RequestRecord> {
    for (let index = this.#start; index < this.#entries.length; index++) {
      const entry = this.#entries[index]!;
      if (!entry.isGap) yield entry.request;
    }
  }

  #compact(): void {
    this.#entries = this.#entries.slice(this.#start).filter((entry) => !entry.isGap);
    this.#start = 0;
    this.#gaps = 0;
  }

  /** Where `request` is, or belongs. */
  #indexOf(request: RequestRecord): number {
    let low = this.#start;
    let high = this.#entries.length;
    // The next one leaves from the front.
    if (high > low && this.#entries[low]!.request === request) return low;
    // Arrivals belong at the end, and that is where most calls come from.
    if (high > low && isEarlier(this.#entries[high - 1]!.request, request)) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isEarlier(this.#entries[middle]!.request, request)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const COMPACT_AT_LEAST = 32;
