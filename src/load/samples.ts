// Raw measurements and what is said about them. Percentiles are always taken over every sample of a run, never over summaries.

export interface Summary {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

export class Samples {
  #values = new Float64Array(1024);
  #count = 0;

  static from(values: readonly number[]): Samples {
    const samples = new Samples();
    samples.addAll(values);
    return samples;
  }

  add(value: number): void {
    if (this.#count === this.#values.length) {
      const grown = new Float64Array(this.#count * 2);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.#count++] = value;
  }

  addAll(values: Iterable<number>): void {
    for (const value of values) this.add(value);
  }

  get count(): number {
    return this.#count;
  }

  /** In the order they were taken; a view, not a copy. */
  get values(): Float64Array {
    return this.#values.subarray(0, this.#count);
  }

  /** @throws when there is no sample: a percentile of nothing would be a lie */
  summary(): Summary {
    if (this.#count === 0) throw new Error("there are no samples to summarise");
    const sorted = this.values.toSorted();
    return { count: this.#count, p50: rank(sorted, 50), p90: rank(sorted, 90), p99: rank(sorted, 99), max: sorted[this.#count - 1]! };
  }

  /** To the microsecond, for the way between two processes. */
  toJSON(): readonly number[] {
    return Array.from(this.values, (value) => Math.round(value * 1000) / 1000);
  }
}

/** Nearest rank: a value that was measured, not one made up between two. */
function rank(sorted: Float64Array, percent: number): number {
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)]!;
}
