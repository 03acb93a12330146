// A relay that stood still: its timers fire before it has read what the others said meanwhile, and nobody may be blamed for that.
import { expect, test } from "bun:test";
import type { Clock, Timer } from "../../src/base/clock.ts";
import type { RefusalCode } from "../../src/base/errors.ts";
import { startSteadyClock } from "../../src/base/steady-clock.ts";
import { AnswerBody } from "../../src/hub/answer-body.ts";
import { createLocalScheduler } from "../../src/hub/seam.ts";
import { watchAnswer } from "../../src/hub/watch-answer.ts";
import { DEFAULT_LIMITS, type Effect, type SchedulerEvent } from "../../src/scheduler/events.ts";

/** The clock of a process that can be stopped: while it is, time passes and no timer fires; those that are due do so afterwards. */
class StoppableClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Map<object, { readonly atMs: number; readonly onDue: () => void }>();

  nowMs = (): number => this.#nowMs;
  unixMs = (): number => this.#nowMs;

  startTimer(delayMs: number, onDue: () => void): Timer {
    const key = {};
    this.#timers.set(key, { atMs: this.#nowMs + delayMs, onDue });
    return { stop: () => this.#timers.delete(key) };
  }

  standStill(forMs: number): void {
    this.#nowMs += forMs;
    for (const [key, { atMs, onDue }] of this.#timers) if (atMs <= this.#nowMs && this.#timers.delete(key)) onDue();
  }
}

const CLOCKS = [
  ["counted as any other, it is blamed on them", (clock: Clock) => clock, true],
  ["on the clock that a relay has, it is not", (clock: Clock) => startSteadyClock(clock), false],
] as const;

test.each(CLOCKS)("[C6] a minute in which a stream could not be read: %s", (_what, toRelayClock, isBlamed) => {
  const real = new StoppableClock();
  const clock = toRelayClock(real);
  const overdue: RefusalCode[] = [];
  const body = new AnswerBody(clock, () => {});
  watchAnswer(body, true, { chunkTimeoutMs: 10_000 }, clock, (code) => overdue.push(code));
  real.standStill(60_000);
  expect(overdue).toEqual(isBlamed ? ["chunk_timeout"] : []);
});

test.each(CLOCKS)("[C6] a minute in which a worker's acknowledgement could not be read: %s", (_what, toRelayClock, isBlamed) => {
  const real = new StoppableClock();
  const scheduler = createLocalScheduler(DEFAULT_LIMITS, toRelayClock(real));
  const effects: Effect[] = [];
  scheduler.onEffects((more) => effects.push(...more));
  const arrived: SchedulerEvent = { type: "request-arrived", request: "r", model: "m", key: "k", bytes: 1, isStreaming: true };
  scheduler.post({ type: "worker-joined", worker: "w", instance: null, models: ["m"], slots: 1, load: 0 });
  scheduler.post(arrived);
  scheduler.post({ type: "client-left", request: "r" });
  real.standStill(60_000);
  scheduler.post({ type: "cancel-acknowledged", attempt: 1 });
  scheduler.post({ ...arrived, request: "next" });
  const kinds = effects.map(({ type }) => type).filter((type) => type !== "wake");
  expect(kinds).toEqual(isBlamed ? ["dispatch", "cancel", "end", "close-worker"] : ["dispatch", "cancel", "end", "dispatch"]);
  scheduler.stop();
});
