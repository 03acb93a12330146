// A binary heap whose items know their own place, so that any of them can be moved or removed in O(log n).

/** An item is in at most one heap at a time. -1: in none. */
export interface HeapItem {
  heapIndex: number;
}

export class Heap<Item extends HeapItem> {
  readonly #items: Item[] = [];
  readonly #isBefore: (a: Item, b: Item) => boolean;

  /** `isBefore` must be a strict weak order that does not change for an item inside without `update`. */
  constructor(isBefore: (a: Item, b: Item) => boolean) {
    this.#isBefore = isBefore;
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
    item.heapIndex = this.#items.length;
    this.#items.push(item);
    this.#rise(item.heapIndex);
  }

  /** Puts the item where its changed order belongs; pushes it when it is not inside. */
  update(item: Item): void {
    if (item.heapIndex < 0) return this.push(item);
    this.#rise(item.heapIndex);
    this.#sink(item.heapIndex);
  }

  /** Does nothing when the item is not inside. */
  remove(item: Item): void {
    const index = item.heapIndex;
    if (index < 0) return;
    item.heapIndex = -1;
    const last = this.#items.pop()!;
    if (last === item) return;
    this.#items[index] = last;
    last.heapIndex = index;
    this.#rise(index);
    this.#sink(last.heapIndex);
  }

  #rise(start: number): void {
    const items = this.#items;
    const item = items[start]!;
    let index = start;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = items[parentIndex]!;
      if (!this.#isBefore(item, parent)) break;
      items[index] = parent;
      parent.heapIndex = index;
      index = parentIndex;
    }
    items[index] = item;
    item.heapIndex = index;
  }

  #sink(start: number): void {
    const items = this.#items;
    const item = items[start]!;
    let index = start;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= items.length) break;
      const right = items[childIndex + 1];
      if (right !== undefined && this.#isBefore(right, items[childIndex]!)) childIndex++;
      const child = items[childIndex]!;
      if (!this.#isBefore(child, item)) break;
      items[index] = child;
      child.heapIndex = index;
      index = childIndex;
    }
    items[index] = item;
    item.heapIndex = index;
  }
}
