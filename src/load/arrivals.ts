// When requests are meant to start in an open loop: by a clock of their own, whatever became of those before.

export type Spacing = "poisson" | "constant";

export interface Arrivals {
  readonly perSecond: number;
  /** "poisson": at random, as requests of many people who know nothing of each other; "constant": evenly. */
  readonly spacing: Spacing;
}

/** The intended starts one after the other, in milliseconds from the first. `random` gives numbers from 0 up to, not including, 1. */
export function* intendedStarts({ perSecond, spacing }: Arrivals, random: () => number): Generator<number, never> {
  const meanMs = 1000 / perSecond;
  if (spacing === "constant") for (let index = 0; ; index++) yield index * meanMs;
  for (let atMs = 0; ; atMs += -Math.log(1 - random()) * meanMs) yield atMs;
}
