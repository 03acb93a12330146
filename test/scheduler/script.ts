// Chooses what happens next in a simulated world: mostly what a real relay sees, now and then words that are late, doubled or about nobody.
import { unreachable } from "../../src/base/assert.ts";
import type { RefusalCode } from "../../src/base/errors.ts";
import type { AttemptId, RequestId, ResponseOutcome, SchedulerEvent, WorkerId } from "../../src/scheduler/events.ts";
import type { Random } from "../support/random.ts";
import type { AttemptRecord, World } from "./world.ts";

const MODELS = ["qwen-small", "qwen-large", "llama", "phi"];
const KEYS = ["anna", "bert", "cleo"];
const INSTANCES = ["box-1", "box-2", "box-3", "box-4"];
const SIZES = [0, 5, 10, 30];
const FAILURES: readonly RefusalCode[] = ["chunk_timeout", "client_stalled", "cancelled"];
const REASONS = ["draining", "full", "unsent"] as const;
const OUTCOMES: readonly ResponseOutcome[] = ["ok", "connection-refused", "dropped", "failed"];
const REQUESTS_MOST = 12;
const WORKERS_MOST = 4;
const DRAIN_AFTER_ARRIVALS = 40;
const TICK: SchedulerEvent = { type: "tick" };

const ACTIONS = [
  "arrive",
  "hangUp",
  "fail",
  "join",
  "leave",
  "drain",
  "resume",
  "models",
  "load",
  "start",
  "end",
  "break",
  "reject",
  "ack",
  "stray",
] as const;

type Action = (typeof ACTIONS)[number];
type Reply = "start" | "end" | "break" | "reject" | "ack";

/** How often each of ACTIONS happens, in their order, as parts of a whole; each world is one of these. */
const MIXES: Readonly<Record<string, readonly number[]>> = {
  busy: [30, 4, 1, 3, 1, 1, 2, 1, 3, 16, 20, 3, 2, 8, 3],
  churn: [20, 3, 1, 12, 9, 4, 4, 8, 5, 8, 8, 2, 3, 5, 3],
  broken: [22, 2, 1, 5, 3, 1, 2, 2, 5, 7, 7, 22, 8, 4, 3],
  impatient: [28, 16, 4, 4, 2, 1, 2, 1, 3, 8, 8, 3, 3, 12, 4],
  /** Workers that never acknowledge a cancel. */
  deaf: [28, 10, 3, 6, 1, 2, 3, 2, 3, 10, 10, 3, 2, 0, 2],
  flood: [40, 2, 0, 3, 1, 0, 1, 1, 1, 8, 16, 1, 1, 3, 1],
};

const DRAWS: readonly (readonly Action[])[] = Object.values(MIXES).map((mix) =>
  ACTIONS.flatMap((action, at) => Array.from({ length: mix[at] ?? 0 }, () => action)),
);

export class Script {
  readonly #random: Random;
  readonly #world: World;
  readonly #actions: readonly Action[];
  readonly #models: readonly string[];
  readonly #keys: readonly string[];
  readonly #keyLimits: readonly number[];
  readonly #workersMost: number;
  readonly #slotsMost: number;
  readonly #willDrain: boolean;
  readonly #attempts: AttemptId[] = [];
  #requests = 0;
  #workers = 0;
  #lastReply: SchedulerEvent = TICK;

  constructor(random: Random, world: World, keyLimits: readonly number[]) {
    this.#random = random;
    this.#keyLimits = keyLimits;
    this.#world = world;
    this.#actions = random.pick(DRAWS);
    this.#models = MODELS.slice(0, 1 + random.below(MODELS.length));
    this.#keys = KEYS.slice(0, 1 + random.below(KEYS.length));
    this.#workersMost = 1 + random.below(WORKERS_MOST);
    this.#slotsMost = 1 + random.below(3);
    this.#willDrain = random.oneIn(8);
  }

  next(): SchedulerEvent {
    const random = this.#random;
    if (random.oneIn(16)) return TICK;
    if (this.#willDrain && this.#requests > DRAIN_AFTER_ARRIVALS && random.oneIn(64)) return { type: "relay-draining" };
    const action = random.pick(this.#actions);
    switch (action) {
      case "arrive":
        return this.#arrive();
      case "hangUp":
        return { type: "client-left", request: this.anyRequest() ?? this.#oldRequest() };
      case "fail":
        return { type: "request-failed", request: this.anyRequest() ?? this.#oldRequest(), code: random.pick(FAILURES) };
      case "join":
        return this.#join();
      case "leave":
        return { type: "worker-left", worker: this.#anyWorker(), how: random.oneIn(2) ? "clean" : "lost" };
      case "drain":
        return { type: "worker-draining", worker: this.#anyWorker() };
      case "resume":
        return { type: "worker-resumed", worker: this.#anyWorker() };
      case "models":
        return this.#world.isUniform ? TICK : { type: "worker-models-changed", worker: this.#anyWorker(), models: this.#offer() };
      case "load":
        return { type: "worker-load-reported", worker: this.#anyWorker(), load: random.below(random.oneIn(3) ? 6 : 3) };
      case "stray":
        return this.#stray();
      case "start":
      case "end":
      case "break":
      case "reject":
      case "ack":
        return this.#reply(action);
      default:
        return unreachable(action);
    }
  }

  /** A live request, or null when there is none. */
  anyRequest(): RequestId | null {
    const { requests } = this.#world;
    return requests.length === 0 ? null : this.#random.pick(requests).id;
  }

  #arrive(): SchedulerEvent {
    if (this.#world.requests.length >= REQUESTS_MOST) return TICK;
    const random = this.#random;
    const model = random.oneIn(40) ? "qwen-smal" : random.pick(this.#models);
    // The first key floods, the others are seldom heard.
    const key = random.oneIn(2) ? this.#keys[0]! : random.pick(this.#keys);
    return {
      type: "request-arrived",
      request: `r${++this.#requests}`,
      model,
      key,
      keyLimit: this.#keyLimits[KEYS.indexOf(key)] ?? 0,
      bytes: random.pick(SIZES),
      isStreaming: random.oneIn(2),
    };
  }

  #join(): SchedulerEvent {
    const random = this.#random;
    const { workers } = this.#world;
    let instance: string | null = random.oneIn(3) ? null : random.pick(INSTANCES);
    if (workers.length >= this.#workersMost) instance = random.pick(workers).instance;
    if (workers.length >= this.#workersMost && instance === null) return TICK;
    return {
      type: "worker-joined",
      worker: `w${++this.#workers}`,
      instance,
      models: this.#world.isUniform ? ["*"] : this.#offer(),
      slots: 1 + random.below(this.#slotsMost),
      load: random.oneIn(6) ? random.below(3) : 0,
    };
  }

  #offer(): readonly string[] {
    const random = this.#random;
    const choice = random.below(8);
    if (choice === 0) return [];
    if (choice === 1) return random.oneIn(2) ? ["*"] : ["*", random.pick(this.#models)];
    return this.#models.filter(() => !random.oneIn(3));
  }

  #reply(action: Reply): SchedulerEvent {
    const attempt = this.#anyAttempt(action);
    if (attempt === null) return TICK;
    this.#lastReply = this.#replyAbout(action, attempt);
    if (this.#attempts.push(attempt.id) > 64) this.#attempts.shift();
    return this.#lastReply;
  }

  #replyAbout(action: Reply, { id: attempt, request }: AttemptRecord): SchedulerEvent {
    const random = this.#random;
    switch (action) {
      case "start":
        return { type: "response-started", attempt };
      case "end":
        if (request !== null && !request.hasStarted && !random.oneIn(8)) return { type: "response-started", attempt };
        return { type: "response-ended", attempt, outcome: "ok" };
      case "break":
        return { type: "response-ended", attempt, outcome: random.pick(OUTCOMES) };
      case "reject":
        return { type: "attempt-rejected", attempt, reason: random.pick(REASONS) };
      case "ack":
        return { type: "cancel-acknowledged", attempt };
      default:
        return unreachable(action);
    }
  }

  /** Acknowledgements are about cancelled attempts, nearly always; the rest about any. */
  #anyAttempt(action: Action): AttemptRecord | null {
    const { attempts } = this.#world;
    if (attempts.length === 0) return null;
    const attempt = this.#random.pick(attempts);
    if (action !== "ack" || this.#random.oneIn(32)) return attempt;
    return attempts.find(({ request }) => request === null) ?? null;
  }

  /** Late, double and foreign words. */
  #stray(): SchedulerEvent {
    const random = this.#random;
    const choice = random.below(8);
    if (choice < 3) return this.#lastReply;
    if (choice === 3) return { type: "client-left", request: this.#oldRequest() };
    if (choice === 4) return { type: "worker-left", worker: this.#oldWorker(), how: "lost" };
    if (choice === 5) return { type: "worker-load-reported", worker: this.#oldWorker(), load: 1 };
    const attempt = this.#attempts.length === 0 || random.oneIn(4) ? random.below(1_000_000) + 500_000 : random.pick(this.#attempts);
    if (choice === 6) return { type: "response-ended", attempt, outcome: random.pick(OUTCOMES) };
    return random.oneIn(2) ? { type: "cancel-acknowledged", attempt } : { type: "attempt-rejected", attempt, reason: random.pick(REASONS) };
  }

  #anyWorker(): WorkerId {
    const { workers } = this.#world;
    return workers.length === 0 ? this.#oldWorker() : this.#random.pick(workers).id;
  }

  #oldWorker(): WorkerId {
    return `w${this.#random.below(this.#workers + 1)}`;
  }

  #oldRequest(): RequestId {
    return `r${this.#random.below(this.#requests + 1)}`;
  }
}
