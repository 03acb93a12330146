// What the relay has done since it started, in numbers.

export class Counters {
  /** Requests handed to the scheduler. */
  accepted = 0;
  requeued = 0;
  /** Frames that meant nothing here: late, foreign, double or unknown. */
  ignoredFrames = 0;
  readonly #byOutcome = new Map<string, number>();

  /** `outcome`: `complete`, `client_left` or a refusal code. */
  count(outcome: string): void {
    this.#byOutcome.set(outcome, (this.#byOutcome.get(outcome) ?? 0) + 1);
  }

  get byOutcome(): ReadonlyMap<string, number> {
    return this.#byOutcome;
  }
}
