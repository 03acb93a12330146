// The independent judge: fed every event and the effects it brought, it throws a Violation naming the rule that was broken.
import type { Effect, RequestId, SchedulerEvent, SchedulerLimits } from "../../src/scheduler/events.ts";
import { earliestDueMs, earliestUsefulCoolDownMs, fireDue } from "./deadlines.ts";
import { happen } from "./happenings.ts";
import type { Sometimes } from "./sometimes.ts";
import { judge } from "./verdicts.ts";
import { isBefore, isWaiting, loadOf, type RequestRecord, type RuleId, type SchedulerLike, Violation, World } from "./world.ts";

/**
 * A step has four parts:
 * 1. what falls due happens to the oracle's world, and what the scheduler owes for it is noted;
 * 2. the same for the event;
 * 3. each effect is judged: it settles something owed, or it is a dispatch that the rules allow;
 * 4. nothing may still be owed, and the rules that hold between events are looked at.
 */
export class Oracle {
  readonly world: World;
  #dueMs = Infinity;

  constructor(limits: SchedulerLimits, nowMs: number, sometimes: Sometimes, isUniform: boolean) {
    this.world = new World(limits, nowMs, sometimes, isUniform);
  }

  /** The earliest time at which something falls due. */
  get dueMs(): number {
    return this.#dueMs;
  }

  step(event: SchedulerEvent, nowMs: number, effects: readonly Effect[]): void {
    const { world } = this;
    world.previousMs = world.nowMs;
    world.nowMs = nowMs;
    // The hub's timer is late when another event comes at or after its time; it is answered by a tick all the same.
    if (event.type === "tick" && world.wakeAtMs <= nowMs) world.wakeAtMs = Infinity;
    if (this.#dueMs <= nowMs) {
      fireDue(world);
      if (event.type !== "tick") world.sometimes["time-out and event in one step"]++;
    }
    happen(world, event);
    const dispatchesBefore = world.dispatches;
    for (const effect of effects) judge(world, effect, event);
    if (world.dispatches > dispatchesBefore + 1) world.sometimes["several dispatches in one step"]++;
    this.#checkSettled();
    this.#checkWorkers();
    this.#dueMs = earliestDueMs(world);
    if (this.#dueMs < world.wakeAtMs) {
      throw new Violation("contract", `something is due at ${this.#dueMs}, the next wake is at ${world.wakeAtMs}`);
    }
  }

  /**
   * Whether the oracle can tell what is right when this event comes at this time without a tick before it. Not so where
   * something due may bring dispatches, which the event then finds done or not done, or where several things due at
   * different times cross each other.
   */
  canJudgeAtOnce(event: SchedulerEvent, nowMs: number): boolean {
    const { world } = this;
    if (this.#dueMs > nowMs) return true;
    const mayDispatch =
      earliestUsefulCoolDownMs(world) <= nowMs ||
      world.attempts.some(({ request, accountByMs }) => request === null && accountByMs <= nowMs);
    if (!mayDispatch) return true;
    return event.type === "tick" && this.#dueMs === nowMs;
  }

  checkCounts(counts: ReturnType<SchedulerLike["counts"]>): void {
    const { world } = this;
    compare("Q1", "queued", counts.queued, world.queueLength());
    compare("Q1", "queuedBytes", counts.queuedBytes, world.queueBytes());
    compare("contract", "requests", counts.requests, world.requests.length);
    compare("S6", "inFlight", counts.inFlight, world.attempts.length);
    compare("W1", "workers", counts.workers, world.workers.length);
  }

  checkPosition(id: RequestId, position: number | null): void {
    const request = this.world.request(id);
    let expected: number | null = null;
    if (request !== undefined && isWaiting(request)) {
      expected = 1;
      for (const other of this.world.requests) {
        if (isWaiting(other) && other.model === request.model && isBefore(other, request)) expected++;
      }
      if (expected > 1) this.world.sometimes["position above 1"]++;
    }
    if (position !== expected) throw new Violation("S3", `position of ${id} is ${expected}, not ${position}`);
  }

  /** Every request ended or waits or runs; [S1] no request waits beside a slot it could have. */
  #checkSettled(): void {
    const { world } = this;
    for (const request of world.requests) {
      if (request.owed !== "nothing") {
        throw new Violation(request.owedRule, `nothing was said about ${request.id}: ${request.owed} ${request.codes.join(" or ")}`);
      }
      if (request.attempt === null) this.#checkWaitsRightly(request);
    }
    for (const attempt of world.attempts) {
      if (attempt.owedCancel !== null) throw new Violation("C2", `attempt ${attempt.id} was not cancelled (${attempt.owedCancel})`);
    }
    const [closing] = world.closing;
    if (closing !== undefined) {
      throw new Violation(closing.cause === "superseded" ? "W2" : "C3", `${closing.worker} was not closed`);
    }
    world.departed.length = 0;
  }

  #checkWaitsRightly(request: RequestRecord): void {
    const { world } = this;
    if (world.isHeldBack(request)) {
      if (world.workers.some((worker) => loadOf(worker) < worker.slots && world.mayServe(worker, request))) {
        world.sometimes["waits beside a free slot for its key's limit"]++;
      }
      return;
    }
    for (const worker of world.workers) {
      if (loadOf(worker) < worker.slots && world.mayServe(worker, request)) {
        throw new Violation("S1", `${request.id} waits beside ${worker.id} (${loadOf(worker)}/${worker.slots})`);
      }
      if (loadOf(worker) < worker.slots && request.avoid.includes(worker)) world.sometimes["avoided worker idle while the request waits"]++;
    }
  }

  #checkWorkers(): void {
    for (const worker of this.world.workers) {
      if (worker.isDraining && worker.inFlight === 0 && !worker.isDrainReported) {
        throw new Violation("W3", `${worker.id} has nothing left to do and was not reported drained`);
      }
    }
  }
}

function compare(rule: RuleId, what: string, actual: number, expected: number): void {
  if (actual !== expected) throw new Violation(rule, `counts: ${what} is ${expected}, not ${actual}`);
}
