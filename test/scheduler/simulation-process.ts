// Plays a range of seeds in a process of its own, so that the simulation uses every core: `bun simulation-process.ts FROM TO STEPS`.
import { createHealthy } from "./mutants.ts";
import { describeFailure, type Failure, simulate } from "./simulation.ts";
import { createSometimes, type Sometimes } from "./sometimes.ts";

export interface RangeResult {
  /** The first failure's story; null when every rule held. */
  readonly story: string | null;
  readonly sometimes: Sometimes;
}

/** `fromSeed` up to, not including, `toSeed`. */
function playRange(fromSeed: number, toSeed: number, steps: number): RangeResult {
  const sometimes = createSometimes();
  let failure: Failure | null = null;
  for (let seed = fromSeed; seed < toSeed && failure === null; seed++) failure = simulate(createHealthy, seed, steps, sometimes);
  return { story: failure === null ? null : describeFailure(createHealthy, failure, steps), sometimes };
}

if (import.meta.main) {
  const [fromSeed = 1, toSeed = 2, steps = 500] = process.argv.slice(2).map(Number);
  console.log(JSON.stringify(playRange(fromSeed, toSeed, steps)));
}
