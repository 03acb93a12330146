// A small random world, replayable by its seed: drives a scheduler with everything that can happen and lets the oracle judge each step.
import type { Effect, SchedulerEvent, SchedulerLimits } from "../../src/scheduler/events.ts";
import { Random } from "../support/random.ts";
import { Oracle } from "./oracle.ts";
import { Script } from "./script.ts";
import { createSometimes, type Sometimes } from "./sometimes.ts";
import { type RuleId, type SchedulerLike, Violation } from "./world.ts";

export type CreateScheduler = (limits: SchedulerLimits, nowMs: number) => SchedulerLike;

export interface Failure {
  readonly seed: number;
  readonly step: number;
  /** `crash` when the scheduler threw. */
  readonly rule: RuleId | "crash";
  readonly message: string;
}

interface Line {
  readonly nowMs: number;
  readonly event: SchedulerEvent;
  readonly effects: readonly Effect[];
}

/** Plays one seed; null when every rule held. With `trace`, each event and its effects are kept there. */
export function simulate(create: CreateScheduler, seed: number, steps: number, sometimes: Sometimes, trace?: Line[]): Failure | null {
  const run = new Run(create, seed, sometimes, trace);
  try {
    run.play(steps);
    run.finish();
    return null;
  } catch (error) {
    const rule = error instanceof Violation ? error.rule : "crash";
    return { seed, step: run.step, rule, message: error instanceof Error ? error.message : String(error) };
  }
}

/** What failed, the last steps before it, and how to play it again. */
export function describeFailure(create: CreateScheduler, failure: Failure, steps: number): string {
  const trace: Line[] = [];
  const again = simulate(create, failure.seed, steps, createSometimes(), trace);
  const lines = trace.slice(-TRACE_LINES).map(({ nowMs, event, effects }) => {
    const answers = effects.map((effect) => `\n        -> ${JSON.stringify(effect)}`);
    return `${String(nowMs).padStart(6)}  ${JSON.stringify(event)}${answers.join("")}`;
  });
  return [
    `seed ${failure.seed}, step ${failure.step}: ${failure.message}`,
    ...lines,
    again?.message === failure.message ? "" : `played again it was: ${again?.message ?? "no failure"}`,
    `again: SIMULATION_SEED=${failure.seed} bun test test/scheduler/simulation.test.ts`,
  ].join("\n");
}

const TRACE_LINES = 40;
const START_MS = 1_000;

class Run {
  step = 0;
  readonly #random: Random;
  readonly #scheduler: SchedulerLike;
  readonly #oracle: Oracle;
  readonly #script: Script;
  readonly #trace: Line[] | undefined;
  #nowMs = START_MS;

  constructor(create: CreateScheduler, seed: number, sometimes: Sometimes, trace: Line[] | undefined) {
    this.#random = new Random(seed);
    const isUniform = this.#random.oneIn(4);
    const limits = randomLimits(this.#random);
    this.#scheduler = create(limits, START_MS);
    this.#oracle = new Oracle(limits, START_MS, sometimes, isUniform);
    this.#script = new Script(this.#random, this.#oracle.world, randomKeyLimits(seed));
    this.#trace = trace;
  }

  play(steps: number): void {
    while (this.step < steps) {
      const toMs = this.#nextTime();
      const event = this.#script.next();
      while (!this.#oracle.canJudgeAtOnce(event, toMs)) this.#apply({ type: "tick" }, Math.min(this.#oracle.dueMs, toMs));
      this.#apply(event, toMs);
    }
  }

  /** Everybody leaves, or (half the time) the clock runs on first until nothing is due: nothing may be left over. */
  finish(): void {
    const { world } = this.#oracle;
    if (this.#random.oneIn(2)) {
      for (let wakes = 0; wakes < 200 && world.wakeAtMs < Infinity; wakes++)
        this.#apply({ type: "tick" }, Math.max(this.#nowMs, world.wakeAtMs));
    }
    const clients = world.requests.map(({ id }) => id);
    for (const request of clients) this.#apply({ type: "client-left", request }, this.#nowMs);
    const workers = world.workers.map(({ id }) => id);
    for (const worker of workers) this.#apply({ type: "worker-left", worker, how: "clean" }, this.#nowMs);
    this.#apply({ type: "tick" }, this.#nowMs + 3_600_000);
    const left = this.#scheduler.counts();
    if (Object.values(left).some((count) => count > 0)) throw new Violation("S6", `left over at the end: ${JSON.stringify(left)}`);
    world.sometimes["queue emptied at the end"]++;
  }

  #apply(event: SchedulerEvent, nowMs: number): void {
    this.step++;
    if (nowMs === this.#oracle.world.wakeAtMs) this.#oracle.world.sometimes["woken exactly in time"]++;
    this.#nowMs = nowMs;
    const effects = this.#scheduler.apply(event, nowMs);
    this.#trace?.push({ nowMs, event, effects: [...effects] });
    this.#oracle.step(event, nowMs, effects);
    this.#oracle.checkCounts(this.#scheduler.counts());
    const watched = (this.step & 3) === 0 ? this.#script.anyRequest() : null;
    if (watched !== null) this.#oracle.checkPosition(watched, this.#scheduler.position(watched));
  }

  #nextTime(): number {
    const random = this.#random;
    const choice = random.below(64);
    const nowMs = this.#nowMs;
    if (choice < 34) return nowMs;
    if (choice < 50) return nowMs + 1 + random.below(4);
    const { wakeAtMs } = this.#oracle.world;
    if (choice < 57) return wakeAtMs === Infinity ? nowMs : Math.max(nowMs, wakeAtMs);
    if (choice < 59) return wakeAtMs === Infinity ? nowMs : Math.max(nowMs, wakeAtMs - 1);
    if (choice < 63) return nowMs + random.below(40);
    return nowMs + random.below(400);
  }
}

/** Slots per key in half of the worlds; none in the others, the pinned seeds' among them. */
function randomKeyLimits(seed: number): readonly number[] {
  if (((seed + 1) & 2) === 0) return [];
  const random = new Random(-seed);
  return [0, 0, 0].map(() => random.pick([0, 1, 2, 3]));
}

function randomLimits(random: Random): SchedulerLimits {
  const coolDownMinMs = random.pick([2, 6, 20]);
  return {
    queueTimeoutMs: random.pick([0, 6, 20, 60]),
    requestTimeoutMs: random.pick([0, 0, 25, 80]),
    totalTimeoutMs: random.pick([0, 0, 50, 150]),
    maxQueueLength: random.pick([0, 0, 1, 3, 6]),
    maxQueueBytes: random.pick([0, 25, 60, 1_000_000]),
    maxRequeues: random.below(4),
    modelGraceMs: random.pick([0, 10, 50]),
    cancelAckMs: random.pick([5, 20, 60]),
    coolDownMinMs,
    coolDownMaxMs: coolDownMinMs * random.pick([1, 3, 8]),
  };
}
