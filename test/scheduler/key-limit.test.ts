// Keys that may hold only so many slots at once: by example, and against a plain count over many random runs.
import { expect, test } from "bun:test";
import { DEFAULT_LIMITS, type Effect, type SchedulerEvent } from "../../src/scheduler/events.ts";
import { Scheduler } from "../../src/scheduler/scheduler.ts";
import { Random } from "../support/random.ts";

function arrival(request: string, key: string, model: string, keyLimit: number): SchedulerEvent {
  return { type: "request-arrived", request, model, key, bytes: 1, isStreaming: true, keyLimit };
}

function joined(worker: string, models: readonly string[], slots: number): SchedulerEvent {
  return { type: "worker-joined", worker, instance: null, models, slots, load: 0 };
}

function dispatched(effects: readonly Effect[]): readonly string[] {
  return effects.flatMap((effect) => (effect.type === "dispatch" ? [effect.request] : []));
}

test("[S9] beyond its limit a key's requests wait beside free slots, and others pass", () => {
  const scheduler = new Scheduler(DEFAULT_LIMITS, 0);
  scheduler.apply(joined("w", ["a", "b"], 4), 1);
  expect(dispatched(scheduler.apply(arrival("first", "k", "a", 1), 2))).toEqual(["first"]);
  expect(dispatched(scheduler.apply(arrival("second", "k", "a", 1), 2))).toEqual([]);
  expect(dispatched(scheduler.apply(arrival("other model", "k", "b", 1), 2))).toEqual([]);
  expect(dispatched(scheduler.apply(arrival("other key", "j", "a", 0), 2))).toEqual(["other key"]);
  expect(dispatched(scheduler.apply({ type: "response-ended", attempt: 1, outcome: "ok" }, 3))).toEqual(["second"]);
});

test("[S9] a cancelled request holds its key's slot until it is accounted for", () => {
  const scheduler = new Scheduler(DEFAULT_LIMITS, 0);
  scheduler.apply(joined("w", ["a"], 4), 1);
  scheduler.apply(arrival("first", "k", "a", 1), 2);
  scheduler.apply(arrival("second", "k", "a", 1), 2);
  expect(dispatched(scheduler.apply({ type: "client-left", request: "first" }, 3))).toEqual([]);
  expect(dispatched(scheduler.apply({ type: "cancel-acknowledged", attempt: 1 }, 4))).toEqual(["second"]);
});

test("[S9] [S1] limits hold and no slot is left free for want of a look, over random runs", () => {
  for (let seed = 1; seed <= 120; seed++) {
    const failure = new Run(seed).play(200);
    if (failure !== null) throw new Error(`seed ${seed}: ${failure}`);
  }
});

const LIMITS: Readonly<Record<string, number>> = { none: 0, one: 1, two: 2 };
const WORKERS: Readonly<Record<string, { readonly models: readonly string[]; readonly slots: number }>> = {
  any: { models: ["*"], slots: 2 },
  a: { models: ["a"], slots: 1 },
  ab: { models: ["a", "b"], slots: 3 },
};

/** Counts, from events and effects alone, who waits and who holds what. */
class Run {
  readonly #scheduler = new Scheduler({ ...DEFAULT_LIMITS, queueTimeoutMs: 0, requestTimeoutMs: 0, modelGraceMs: 1e9 }, 0);
  readonly #random: Random;
  readonly #waiting = new Map<string, { readonly key: string; readonly model: string }>();
  readonly #running = new Map<
    number,
    { readonly request: string; readonly key: string; readonly model: string; readonly worker: string }
  >();
  readonly #connected = new Set<string>();
  #arrivals = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  play(steps: number): string | null {
    for (let step = 0; step < steps; step++) {
      this.#take(this.#scheduler.apply(this.#next(), step));
      const failure = this.#judge();
      if (failure !== null) return `step ${step}: ${failure}`;
    }
    return null;
  }

  #next(): SchedulerEvent {
    const kind = this.#random.below(10);
    if (kind < 4) return this.#arrive();
    const attempts = [...this.#running.keys()];
    if (kind < 8 && attempts.length > 0) return this.#end(attempts[this.#random.below(attempts.length)]!);
    const worker = Object.keys(WORKERS)[this.#random.below(3)]!;
    if (!this.#connected.has(worker)) {
      this.#connected.add(worker);
      return joined(worker, WORKERS[worker]!.models, WORKERS[worker]!.slots);
    }
    if (kind < 9) return { type: "tick" };
    this.#connected.delete(worker);
    for (const [attempt, held] of this.#running) {
      if (held.worker !== worker) continue;
      this.#running.delete(attempt);
      this.#waiting.set(held.request, held);
    }
    return { type: "worker-left", worker, how: "lost" };
  }

  #arrive(): SchedulerEvent {
    const request = `r${++this.#arrivals}`;
    const key = Object.keys(LIMITS)[this.#random.below(3)]!;
    const model = this.#random.below(2) === 0 ? "a" : "b";
    this.#waiting.set(request, { key, model });
    return arrival(request, key, model, LIMITS[key]!);
  }

  #end(attempt: number): SchedulerEvent {
    this.#running.delete(attempt);
    const outcome = this.#random.below(3) === 0 ? "failed" : "ok";
    return { type: "response-ended", attempt, outcome };
  }

  #take(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === "refuse") this.#waiting.delete(effect.request);
      if (effect.type !== "dispatch") continue;
      const { key, model } = this.#waiting.get(effect.request)!;
      this.#waiting.delete(effect.request);
      this.#running.set(effect.attempt, { request: effect.request, key, model, worker: effect.worker });
    }
  }

  #judge(): string | null {
    const held = (key: string): number => [...this.#running.values()].filter((entry) => entry.key === key).length;
    for (const [key, limit] of Object.entries(LIMITS)) if (limit > 0 && held(key) > limit) return `${key} holds ${held(key)} slots`;
    for (const [request, { key, model }] of this.#waiting) {
      const isAtLimit = LIMITS[key]! > 0 && held(key) >= LIMITS[key]!;
      const free = [...this.#connected].find((worker) => this.#isFreeFor(worker, model));
      if (!isAtLimit && free !== undefined) return `${request} of ${key} waits beside ${free}`;
    }
    return null;
  }

  #isFreeFor(worker: string, model: string): boolean {
    const { models, slots } = WORKERS[worker]!;
    const inUse = [...this.#running.values()].filter((entry) => entry.worker === worker).length;
    return inUse < slots && (models.includes("*") || models.includes(model));
  }
}
