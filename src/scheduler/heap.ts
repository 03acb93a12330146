// A binary heap whose items know their own place, so that any of them can be moved or removed in O(log n).

/** An item is in at most one heap at a time. -1: in none. */
export interface HeapItem {
  heapIndex: number;
}

/** Whose turn it is: the lower rank first, and between equal ranks what `isBefore` says. */
export interface HeapOrder<Item> {
  readonly rankOf: (item: Item) => number;
  /** A strict weak order among items of equal rank; never true for two that are alike. */
  readonly isBefore: (a: Item, b: Item) => boolean;
}

/** What the order looks at must not change for an item inside without `update`. */
export class Heap<Item extends HeapItem> {
  readonly #items: Item[] = [];
  /** Each item's rank, at its index: in a large heap items are far apart in memory, and most comparisons need none of them. */
  readonly #ranks: number[] = [];
  readonly #order: HeapOrder<Item>;

  constructor(order: HeapOrder<Item>) {
    this.#order = order;
  }

  get size(): number {
    return this.#items.length;
  }

  /** All items, in no particular order. */
  get items(): readonly Item[] {
    return this.#items;
  }

  peek(): Item | undefined {
    return this.#items[0];
  }

  push(item: Item): void {
    this.#rise(this.#items.length, item, this.#order.rankOf(item));
  }

  /** Puts the item where its changed order belongs; pushes it when it is not inside. */
  update(item: Item): void {
    if (item.heapIndex < 0) this.push(item);
    else this.#place(item.heapIndex, item, this.#order.rankOf(item));
  }

  /** Does nothing when the item is not inside. */
  remove(item: Item): void {
    const index = item.heapIndex;
    if (index < 0) return;
    item.heapIndex = -1;
    const last = this.#items.pop()!;
    const rank = this.#ranks.pop()!;
    if (last !== item) this.#place(index, last, rank);
  }

  // ---- each takes the place at `index` as free, and puts the item where it belongs ----

  #place(index: number, item: Item, rank: number): void {
    const parent = (index - 1) >> 1;
    if (index > 0 && this.#isBefore(item, rank, parent)) this.#rise(index, item, rank);
    else this.#sink(index, item, rank);
  }

  #rise(start: number, item: Item, rank: number): void {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#isBefore(item, rank, parent)) break;
      this.#put(index, this.#items[parent]!, this.#ranks[parent]!);
      index = parent;
    }
    this.#put(index, item, rank);
  }

  #sink(start: number, item: Item, rank: number): void {
    let index = start;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= this.#items.length) break;
      if (child + 1 < this.#items.length && this.#isBefore(this.#items[child + 1]!, this.#ranks[child + 1]!, child)) child++;
      if (!this.#isAfter(item, rank, child)) break;
      this.#put(index, this.#items[child]!, this.#ranks[child]!);
      index = child;
    }
    this.#put(index, item, rank);
  }

  /** Does an item of this rank come before the one at `other`? */
  #isBefore(item: Item, rank: number, other: number): boolean {
    const otherRank = this.#ranks[other]!;
    return rank === otherRank ? this.#order.isBefore(item, this.#items[other]!) : rank < otherRank;
  }

  /** Does it come after that one? */
  #isAfter(item: Item, rank: number, other: number): boolean {
    const otherRank = this.#ranks[other]!;
    return rank === otherRank ? this.#order.isBefore(this.#items[other]!, item) : otherRank < rank;
  }

  #put(index: number, item: Item, rank: number): void {
    this.#items[index] = item;
    this.#ranks[index] = rank;
    item.heapIndex = index;
  }
}
