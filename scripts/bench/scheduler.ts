// What one step of the scheduler costs in a large relay: a hundred thousand waiting requests, a thousand workers, five hundred models.
// Alone: `bun scripts/bench/scheduler.ts`.
import {
  type AttemptId,
  DEFAULT_LIMITS,
  type Effect,
  type SchedulerEvent,
  type SchedulerLimits,
  type WorkerId,
} from "../../src/scheduler/events.ts";
import { Scheduler } from "../../src/scheduler/scheduler.ts";
import { Samples, type Summary } from "../../src/load/samples.ts";

const WORKERS = 1_000;
const MODELS = 500;
const MODELS_PER_WORKER = 10;
const SLOTS = 4;
const QUEUED = 100_000;
const KEYS = 200;
const STEPS = 200_000;
const WARM_UP_STEPS = 20_000;
/** Deadlines run, but none passes. */
const LIMITS: SchedulerLimits = {
  ...DEFAULT_LIMITS,
  maxQueueLength: 0,
  maxQueueBytes: Infinity,
  queueTimeoutMs: 10_000_000,
  requestTimeoutMs: 20_000_000,
};
const ALL_KINDS = "all";

interface SchedulerCost {
  /** Microseconds per step, over all kinds of events and per kind. */
  readonly steps: Readonly<Record<string, Summary>>;
  /** Microseconds to answer a request's position. */
  readonly position: Summary;
  readonly heapMib: number;
}

/** `isQuick`: fewer steps, with the world as large as ever. */
export function benchScheduler(isQuick: boolean): SchedulerCost {
  const world = new BusyWorld();
  world.fill();
  for (let step = 0; step < WARM_UP_STEPS; step++) world.step();
  const samples = new Map<string, Samples>([[ALL_KINDS, new Samples()]]);
  for (let step = 0; step < (isQuick ? STEPS / 10 : STEPS); step++) {
    const { type, micros } = world.step();
    const ofType = samples.get(type) ?? new Samples();
    samples.set(type, ofType);
    ofType.add(micros);
    samples.get(ALL_KINDS)?.add(micros);
  }
  return {
    steps: Object.fromEntries([...samples].map(([type, one]) => [type, one.summary()])),
    position: world.positions(),
    heapMib: Math.round(process.memoryUsage().heapUsed / 2 ** 20),
  };
}

interface Step {
  readonly type: SchedulerEvent["type"];
  readonly micros: number;
}

interface Running {
  readonly attempt: AttemptId;
  readonly request: string;
}

/** All slots taken, the queue full, and everything happening at once. */
class BusyWorld {
  readonly #scheduler = new Scheduler(LIMITS, 0);
  readonly #running: Running[] = [];
  readonly #zombies: AttemptId[] = [];
  readonly #waiting = new Set<string>();
  #nowMs = 1;
  #requests = 0;
  #workers = 0;
  /** A sequence without pattern that is the same in every run. */
  #chance = 12_345;

  fill(): void {
    for (let at = 0; at < WORKERS; at++) this.#apply(this.#join());
    for (let at = 0; at < WORKERS * SLOTS + QUEUED; at++) this.#apply(this.#arrive());
  }

  /** One of: a request, the beginning or the end of an answer, a hang-up, an acknowledgement, a report, a worker that goes or comes. */
  step(): Step {
    const choice = this.#below(100);
    if (this.#waiting.size < QUEUED || choice < 30) return this.#apply(this.#arrive());
    if (choice < 45) return this.#apply({ type: "response-started", attempt: this.#anyRunning().attempt });
    if (choice < 75) return this.#apply({ type: "response-ended", attempt: this.#takeRunning().attempt, outcome: "ok" });
    if (choice < 80) return this.#apply(this.#hangUp());
    const zombie = this.#zombies.pop();
    if (zombie !== undefined) return this.#apply({ type: "cancel-acknowledged", attempt: zombie });
    if (choice < 97) return this.#apply({ type: "worker-load-reported", worker: this.#anyWorker(), load: SLOTS });
    if (choice < 98) return this.#apply({ type: "worker-left", worker: `w${this.#workers - WORKERS}`, how: "lost" });
    if (choice < 99) return this.#apply(this.#join());
    return this.#apply({ type: "tick" });
  }

  positions(): Summary {
    const samples = new Samples();
    for (const request of this.#waiting) {
      if (samples.count === 1_000) break;
      const startedNs = Bun.nanoseconds();
      this.#scheduler.position(request);
      samples.add((Bun.nanoseconds() - startedNs) / 1_000);
    }
    return samples.summary();
  }

  #apply(event: SchedulerEvent): Step {
    this.#nowMs += 0.25;
    const startedNs = Bun.nanoseconds();
    const effects = this.#scheduler.apply(event, this.#nowMs);
    const micros = (Bun.nanoseconds() - startedNs) / 1_000;
    for (const effect of effects) this.#note(effect);
    return { type: event.type, micros };
  }

  #note(effect: Effect): void {
    if (effect.type === "dispatch") {
      this.#waiting.delete(effect.request);
      this.#running.push({ attempt: effect.attempt, request: effect.request });
    } else if (effect.type === "end" || effect.type === "refuse") this.#waiting.delete(effect.request);
    else if (effect.type === "requeued") this.#waiting.add(effect.request);
    else if (effect.type === "cancel") this.#zombies.push(effect.attempt);
  }

  #arrive(): SchedulerEvent {
    const request = `r${++this.#requests}`;
    this.#waiting.add(request);
    const [model, key] = [`model-${this.#below(MODELS)}`, `key-${this.#below(KEYS)}`];
    return { type: "request-arrived", request, model, key, bytes: 2_000, isStreaming: true };
  }

  #join(): SchedulerEvent {
    const first = this.#below(MODELS);
    const models = Array.from({ length: MODELS_PER_WORKER }, (_, at) => `model-${(first + at * 37) % MODELS}`);
    return { type: "worker-joined", worker: `w${++this.#workers}`, instance: null, models, slots: SLOTS, load: 0 };
  }

  /** Half of them while they wait. */
  #hangUp(): SchedulerEvent {
    const [waiting] = this.#waiting;
    if (waiting !== undefined && this.#below(2) === 0) return { type: "client-left", request: waiting };
    return { type: "client-left", request: this.#takeRunning().request };
  }

  #anyRunning(): Running {
    return this.#running[this.#below(this.#running.length)]!;
  }

  /** It may have gone with its worker: a late word then, as in life. */
  #takeRunning(): Running {
    const at = this.#below(this.#running.length);
    const running = this.#running[at]!;
    const last = this.#running.pop()!;
    if (at < this.#running.length) this.#running[at] = last;
    return running;
  }

  #anyWorker(): WorkerId {
    return `w${this.#workers - this.#below(WORKERS)}`;
  }

  #below(limit: number): number {
    this.#chance = (Math.imul(this.#chance, 1_664_525) + 1_013_904_223) >>> 0;
    return (this.#chance >>> 8) % limit;
  }
}

if (import.meta.main) console.log(JSON.stringify(benchScheduler(process.argv.includes("--quick")), null, 2));
