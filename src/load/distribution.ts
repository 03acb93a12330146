// Percentiles in bounded memory: every sample as it was up to a bound, and from there on counts in steps of one percent.
import { Samples, type Summary } from "./samples.ts";

/** Above it a percentile is the upper end of a step and at most 1 % too high; the largest and the mean stay exact. */
const EXACT_MAX = 100_000;

const STEP = Math.log(1.01);
// Steps begin at a microsecond, when samples are milliseconds. What is less counts as that.
const SMALLEST = 0.001;
// A microsecond times 1.01^2500 is some 17 hours.
const STEPS = 2_500;

export class Distribution {
  #exact: Samples | null = new Samples();
  #steps: Float64Array | null = null;
  #count = 0;
  #sum = 0;
  #max = -Infinity;
  readonly #exactMax: number;

  constructor(exactMax = EXACT_MAX) {
    this.#exactMax = exactMax;
  }

  get count(): number {
    return this.#count;
  }

  add(value: number): void {
    this.#count++;
    this.#sum += value;
    if (value > this.#max) this.#max = value;
    if (this.#exact === null) return this.#addToSteps(value);
    this.#exact.add(value);
    if (this.#exact.count >= this.#exactMax) this.#switchToSteps(this.#exact);
  }

  /** Null when there is no sample. */
  summary(): (Summary & { readonly mean: number }) | null {
    if (this.#count === 0) return null;
    const mean = this.#sum / this.#count;
    if (this.#exact !== null) return { ...this.#exact.summary(), mean };
    return { count: this.#count, p50: this.#rank(50), p90: this.#rank(90), p99: this.#rank(99), max: this.#max, mean };
  }

  #switchToSteps(samples: Samples): void {
    this.#exact = null;
    for (const value of samples.values) this.#addToSteps(value);
  }

  #addToSteps(value: number): void {
    this.#steps ??= new Float64Array(STEPS);
    const step = value <= SMALLEST ? 0 : Math.min(STEPS - 1, Math.ceil(Math.log(value / SMALLEST) / STEP));
    this.#steps[step]! += 1;
  }

  /** Nearest rank, as with exact samples. */
  #rank(percent: number): number {
    let left = Math.max(1, Math.ceil((percent / 100) * this.#count));
    for (const [step, count] of (this.#steps ?? []).entries()) {
      left -= count;
      if (left <= 0) return step === STEPS - 1 ? this.#max : Math.min(this.#max, step === 0 ? 0 : SMALLEST * Math.exp(step * STEP));
    }
    return this.#max;
  }
}
