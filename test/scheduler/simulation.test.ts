// Runs the simulation: many seeds against the scheduler as it is, the seeds that once found a bug, and every mutant.
import { afterAll, describe, expect, test } from "bun:test";
import { availableParallelism } from "node:os";
import { createHealthy, type Mutant, MUTANTS } from "./mutants.ts";
import { describeFailure, type Failure, simulate } from "./simulation.ts";
import type { RangeResult } from "./simulation-process.ts";
import { addSometimes, createSometimes, neverReached } from "./sometimes.ts";

const STEPS = 500;
/** SIMULATION_SEEDS plays fewer or more; SIMULATION_SEED plays one alone. */
const SEEDS = Number(process.env["SIMULATION_SEEDS"] ?? 20_000);
const ONLY_SEED = process.env["SIMULATION_SEED"];
/** From here on every rare state can be expected. */
const SEEDS_FOR_RARE_STATES = 2_000;
const SEEDS_PER_MUTANT = 600;
const SIMULATION_LIMIT_MS = 300_000;

/** Seeds that found a bug once, by what it was. */
const PINNED: Readonly<Record<string, number>> = {
  "refused and withdrawn requests cost their key a turn": 111,
  "a request whose time was over was dispatched first": 80,
  "the requests of one closed worker were given to the next one to be closed": 151,
  "time-out, loss of the worker and requeue in one step": 999,
  "a request without waiting time left was given away and came back": 628,
  "a key below its limit again was served out of order": 909,
  "a key below its limit again was served by the busier worker": 42,
  "an answer without a start did not end the doubling": 120,
};

function play(seed: number): string | null {
  const failure = simulate(createHealthy, seed, STEPS, createSometimes());
  return failure === null ? null : describeFailure(createHealthy, failure, STEPS);
}

async function playRange(fromSeed: number, toSeed: number): Promise<RangeResult> {
  const program = `${import.meta.dir}/simulation-process.ts`;
  const child = Bun.spawn([process.execPath, program, String(fromSeed), String(toSeed), String(STEPS)], { stderr: "inherit" });
  const result: RangeResult = JSON.parse(await new Response(child.stdout).text());
  return result;
}

describe.skipIf(ONLY_SEED !== undefined)("simulation", () => {
  test(
    `[S1] [S2] [S3] [S4] [S5] [S6] [S7] [S8] [S9] [Q1] [Q2] [Q3] [Q4] [Q5] [Q6] [Q7] [R1] [R2] [R3] [R4] [R5] [R6] [R7] [C1] [C2] [C3] [C4] [C5] [W1] [W2] [W3] [W4] [W5] hold in ${SEEDS} random worlds`,
    async () => {
      const cores = Math.min(availableParallelism(), 4);
      const share = Math.ceil(SEEDS / cores);
      const results = await Promise.all(Array.from({ length: cores }, (_, at) => playRange(1 + at * share, 1 + (at + 1) * share)));
      for (const { story } of results) if (story !== null) throw new Error(story);
      const sometimes = createSometimes();
      for (const result of results) addSometimes(sometimes, result.sometimes);
      if (SEEDS >= SEEDS_FOR_RARE_STATES) expect(neverReached(sometimes)).toEqual([]);
    },
    SIMULATION_LIMIT_MS,
  );

  for (const [story, seed] of Object.entries(PINNED)) {
    test(`seed ${seed}: ${story}`, () => {
      expect(play(seed)).toBeNull();
    });
  }

  test("the same seed plays the same way twice", () => {
    const [first, second] = [createSometimes(), createSometimes()];
    simulate(createHealthy, 7, STEPS, first);
    simulate(createHealthy, 7, STEPS, second);
    expect(second).toEqual(first);
  });
});

if (ONLY_SEED !== undefined) {
  test(`seed ${ONLY_SEED}`, () => {
    expect(play(Number(ONLY_SEED))).toBeNull();
  });
}

describe.skipIf(ONLY_SEED !== undefined)("mutants", () => {
  const caught: string[] = [];
  afterAll(() => console.log(caught.join("\n")));

  for (const mutant of MUTANTS) {
    const rule = mutant.rule === "contract" ? "contract of events.ts" : `[${mutant.rule}]`;
    test(`${rule} is seen broken by a scheduler that ${mutant.name}`, () => {
      const uninstall = mutant.install();
      try {
        const failure = firstBreak(mutant);
        expect(failure).not.toBeNull();
        caught.push(
          `  seed ${String(failure?.seed).padStart(3)}, step ${String(failure?.step).padStart(3)}  ${mutant.name}: ${failure?.message}`,
        );
      } finally {
        uninstall();
      }
    });
  }
});

/** The first seed that sees the mutant break the very rule it is meant to break. */
function firstBreak(mutant: Mutant): Failure | null {
  for (let seed = 1; seed <= SEEDS_PER_MUTANT; seed++) {
    const failure = simulate(mutant.create, seed, STEPS, createSometimes());
    if (failure?.rule === mutant.rule) return failure;
  }
  return null;
}
