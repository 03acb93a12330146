// A load: requests sent by so many connections at most, each as soon as one is free or when a clock of its own says so.
//
// Without `arrivals` it is a closed loop: each connection waits for its answer before it sends again. That is the right question for
// "how many requests a second". Its latencies are service times only: a slow answer also delays the requests behind it, which nobody
// counts (coordinated omission). With `arrivals` it is an open loop: requests have intended starts, and one that has to wait for a free
// connection has waited; whoever records its latency counts from the intended start.
import type { Clock, Timer } from "../base/clock.ts";
import { type Arrivals, intendedStarts } from "./arrivals.ts";
import type { Api } from "./apis.ts";
import { type Asked, type Carrier, type Outcome, type RunningExchange, startExchange } from "./exchange.ts";

export interface LoadPlan {
  readonly api: Api;
  /** Connections at most, and so requests at a time. */
  readonly concurrency: number;
  /** Whichever is reached first ends it; at least one is not null. */
  readonly requests: number | null;
  readonly durationMs: number | null;
  /** Sent before, in a closed loop, and not recorded. */
  readonly warmUp: number;
  readonly arrivals: Arrivals | null;
  /** For each answer; null: for ever. */
  readonly timeoutMs: number | null;
}

export interface LoadWorld {
  readonly clock: Clock;
  readonly random: () => number;
  readonly openCarrier: () => Carrier;
  /** The request with this number, from 0. */
  readonly asked: (index: number) => Asked;
  readonly recorder: Recorder;
}

/** Told of everything that is measured. */
export interface Recorder {
  onOutcome(outcome: Outcome, intendedMs: number): void;
  /** A chunk of a stream, with the pause before it; null: it is the first. */
  onChunk(gapMs: number | null): void;
}

export interface LoadEnd {
  /** From the first request to the last answer. */
  readonly elapsedMs: number;
  readonly warmedUp: number;
  readonly started: number;
  /** Under way when it was stopped; they were hung up on. */
  readonly hungUp: number;
  /** Due before the end but without a free connection; an estimate when starts are at random. */
  readonly notStarted: number;
}

export interface RunningLoad {
  readonly finished: Promise<LoadEnd>;
  /** Requests that are over, warm-up aside. */
  readonly done: () => number;
  /** Null while it warms up. */
  readonly startedMs: () => number | null;
  /** Hangs up on everything under way. */
  stop(): void;
}

export function startLoad(plan: LoadPlan, world: LoadWorld): RunningLoad {
  const load = new Load(plan, world);
  load.begin();
  return { finished: load.finished, done: () => load.done, startedMs: () => load.startedMs, stop: () => load.stop() };
}

/** A connection that was refused is not asked for again at once. */
const AFTER_REFUSAL_MS = 100;

class Load {
  readonly #plan: LoadPlan;
  readonly #world: LoadWorld;
  readonly #end = Promise.withResolvers<LoadEnd>();
  /** Null for the moment it takes to begin. */
  readonly #busy = new Map<Carrier, RunningExchange | null>();
  /** The one used last is taken first, so that few connections stay warm instead of all growing cold. */
  readonly #free: Carrier[] = [];
  readonly #resting = new Map<Carrier, Timer>();
  #warmUp: { left: number; done: number } | null;
  #starts: Generator<number, never> | null = null;
  #intendedMs = 0;
  #wakeUp: Timer | null = null;
  #lastCall: Timer | null = null;
  #started = 0;
  #sent = 0;
  #isOver = false;
  done = 0;
  startedMs: number | null = null;

  constructor(plan: LoadPlan, world: LoadWorld) {
    this.#plan = plan;
    this.#world = world;
    this.#warmUp = plan.warmUp > 0 ? { left: plan.warmUp, done: 0 } : null;
  }

  get finished(): Promise<LoadEnd> {
    return this.#end.promise;
  }

  begin(): void {
    if (this.#warmUp === null) this.#beginMeasuring();
    this.#pump();
  }

  stop(): void {
    if (!this.#isOver) this.#finish(this.#busy.size);
  }

  #beginMeasuring(): void {
    const { arrivals, durationMs } = this.#plan;
    this.#warmUp = null;
    this.startedMs = this.#world.clock.nowMs();
    this.#starts = arrivals === null ? null : intendedStarts(arrivals, this.#world.random);
    this.#drawStart();
    if (durationMs !== null) this.#callLast(this.startedMs + durationMs);
  }

  /** Nothing else may happen any more when the time is up. Timers may fire a little early. */
  #callLast(endMs: number): void {
    const leftMs = endMs - this.#world.clock.nowMs();
    if (leftMs <= 0) return this.#pump();
    this.#lastCall = this.#world.clock.startTimer(Math.max(1, leftMs), () => this.#callLast(endMs));
  }

  /** Starts all that can be started now, and sees to being called again. */
  #pump(): void {
    if (this.#isOver) return;
    while (this.#mayStart()) this.#start();
    if (this.#warmUp !== null) return;
    if (!this.#isAllStarted()) return this.#sleepUntilNext();
    // A load of so many seconds lasts them to the end, also when its last request is answered.
    if (this.#busy.size === 0 && (this.#hasAllRequests() || this.#isTimeUp())) this.#finish(0);
  }

  #mayStart(): boolean {
    if (this.#isFull()) return false;
    if (this.#warmUp !== null) return this.#warmUp.left > 0;
    return !this.#isAllStarted() && this.#intendedMs <= this.#world.clock.nowMs();
  }

  #isFull(): boolean {
    return this.#busy.size + this.#resting.size >= this.#plan.concurrency;
  }

  #isAllStarted(): boolean {
    if (this.#hasAllRequests() || this.#isTimeUp()) return true;
    return this.#starts !== null && this.#intendedMs >= this.#endMs();
  }

  #hasAllRequests(): boolean {
    return this.#started >= (this.#plan.requests ?? Infinity);
  }

  #isTimeUp(): boolean {
    return this.#world.clock.nowMs() >= this.#endMs();
  }

  #endMs(): number {
    return (this.startedMs ?? 0) + (this.#plan.durationMs ?? Infinity);
  }

  #start(): void {
    const carrier = this.#free.pop() ?? this.#world.openCarrier();
    this.#busy.set(carrier, null);
    const { api, timeoutMs } = this.#plan;
    const { clock, recorder } = this.#world;
    const onOver = this.#warmUp === null ? this.#measured(carrier) : this.#warmed(carrier, this.#warmUp);
    const onChunk = this.#warmUp === null ? (gapMs: number | null) => recorder.onChunk(gapMs) : () => {};
    const exchange = startExchange(carrier, this.#world.asked(this.#sent++), { api, clock, timeoutMs, onChunk }, onOver);
    if (this.#busy.has(carrier)) this.#busy.set(carrier, exchange);
  }

  #measured(carrier: Carrier): (outcome: Outcome) => void {
    const intendedMs = this.#starts === null ? this.#world.clock.nowMs() : this.#intendedMs;
    this.#started++;
    this.#drawStart();
    return (outcome) => {
      if (this.#isOver) return;
      this.done++;
      this.#world.recorder.onOutcome(outcome, intendedMs);
      this.#release(carrier, outcome);
      this.#pump();
    };
  }

  #warmed(carrier: Carrier, warmUp: { left: number; done: number }): (outcome: Outcome) => void {
    warmUp.left--;
    return (outcome) => {
      if (this.#isOver) return;
      this.#release(carrier, outcome);
      if (++warmUp.done === this.#plan.warmUp) this.#beginMeasuring();
      this.#pump();
    };
  }

  #release(carrier: Carrier, { failure }: Outcome): void {
    this.#busy.delete(carrier);
    if (failure === null || !/^(connect|tls) /.test(failure.kind)) {
      this.#free.push(carrier);
      return;
    }
    const onRested = (): void => {
      this.#resting.delete(carrier);
      this.#free.push(carrier);
      this.#pump();
    };
    this.#resting.set(carrier, this.#world.clock.startTimer(AFTER_REFUSAL_MS, onRested));
  }

  #drawStart(): void {
    if (this.#starts !== null) this.#intendedMs = this.startedMs! + this.#starts.next().value;
  }

  /** With every connection taken, whoever comes free wakes it. */
  #sleepUntilNext(): void {
    this.#wakeUp?.stop();
    this.#wakeUp = null;
    if (this.#starts === null || this.#isFull()) return;
    this.#wakeUp = this.#world.clock.startTimer(this.#intendedMs - this.#world.clock.nowMs(), () => this.#pump());
  }

  #finish(hungUp: number): void {
    this.#isOver = true;
    this.#wakeUp?.stop();
    this.#lastCall?.stop();
    for (const timer of this.#resting.values()) timer.stop();
    for (const exchange of this.#busy.values()) exchange?.stop();
    for (const carrier of [...this.#free, ...this.#resting.keys()]) carrier.hangUp();
    const elapsedMs = this.startedMs === null ? 0 : this.#world.clock.nowMs() - this.startedMs;
    const isWarmingUp = this.#warmUp !== null;
    this.#end.resolve({
      elapsedMs,
      warmedUp: this.#warmUp?.done ?? this.#plan.warmUp,
      started: this.#started,
      hungUp: isWarmingUp ? 0 : hungUp,
      notStarted: this.#countNotStarted(),
    });
  }

  #countNotStarted(): number {
    const { arrivals, durationMs, requests } = this.#plan;
    if (arrivals === null || durationMs === null || this.startedMs === null) return 0;
    const endMs = Math.min(this.#endMs(), this.#world.clock.nowMs());
    const due = Math.max(0, Math.ceil(((endMs - this.#intendedMs) * arrivals.perSecond) / 1000));
    return Math.min(due, (requests ?? Infinity) - this.#started);
  }
}
