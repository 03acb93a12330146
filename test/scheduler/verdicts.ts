// Judges each effect against what the oracle's world owes and allows at that moment.
import { unreachable } from "../../src/base/assert.ts";
import type { DispatchEffect, Effect, RefuseEffect, SchedulerEvent } from "../../src/scheduler/events.ts";
import {
  isBefore,
  loadOf,
  offers,
  removeFrom,
  type RequestRecord,
  type RuleId,
  Violation,
  type WorkerRecord,
  type World,
} from "./world.ts";

export function judge(world: World, effect: Effect, event: SchedulerEvent): void {
  switch (effect.type) {
    case "dispatch":
      return judgeDispatch(world, effect);
    case "cancel":
      return judgeCancel(world, effect);
    case "refuse":
      return judgeRefusal(world, effect);
    case "end": {
      const request = liveRequest(world, effect.request, "end");
      expect(request.owed === "end", ruleOf(request), `ended ${request.id}, which has no reason to end`);
      return world.forgetRequest(request);
    }
    case "requeued":
      return judgeRequeue(world, effect);
    case "close-worker": {
      const owed = world.closing.find(({ worker }) => worker === effect.worker);
      const rule = effect.cause === "superseded" ? "W2" : "C3";
      if (owed === undefined || owed.cause !== effect.cause)
        throw new Violation(rule, `closed ${effect.worker} (${effect.cause}) for no reason`);
      return removeFrom(world.closing, owed);
    }
    case "worker-drained":
      return judgeDrained(world, effect.worker, event);
    case "wake":
      expect(effect.atMs > world.nowMs, "contract", `asked to be woken at ${effect.atMs}, now is ${world.nowMs}`);
      world.wakeAtMs = effect.atMs;
      return;
    default:
      unreachable(effect);
  }
}

function judgeDispatch(world: World, effect: DispatchEffect): void {
  const request = liveRequest(world, effect.request, "dispatch");
  if (request.owed === "refuse" && request.mayDispatch) request.owed = "nothing";
  const { id } = request;
  expect(request.attempt === null, request.hasStarted ? "R7" : "S8", `dispatched ${id}, which has a live attempt`);
  expect(request.owed === "nothing", ruleOf(request), `dispatched ${id}, which owes: ${request.owed} ${request.codes.join("/")}`);
  const worker = world.worker(effect.worker);
  if (worker === undefined) throw new Violation("S7", `dispatched ${id} to ${effect.worker}, which is not there`);
  expect(!world.isHeldBack(request), "S9", `dispatched ${id}, whose key ${request.key} holds ${request.keyLimit} slots already`);
  judgeWorker(world, request, worker);
  judgeOrder(world, request, worker);
  judgePick(world, request, worker);
  expect(!world.usedAttempts.has(effect.attempt), "contract", `attempt id ${effect.attempt} used twice`);
  const waitedMs = request.waitedMs + world.nowMs - request.waitSinceMs;
  expect(effect.waitedMs === waitedMs, "Q3", `${id} has waited ${waitedMs} ms, not ${effect.waitedMs}`);
  expect(effect.tries === request.tries + 1, "contract", `${id}: try ${request.tries + 1}, not ${effect.tries}`);
  noteDispatch(world, request, worker);
  request.waitedMs = waitedMs;
  world.servedTags.set(request.key, Math.max(world.servedTags.get(request.key) ?? 0, request.tag + 1));
  request.tries++;
  world.usedAttempts.add(effect.attempt);
  world.virtualTime = Math.max(world.virtualTime, request.tag);
  worker.inFlight++;
  worker.lastGiven = ++world.dispatches;
  request.attempt = { id: effect.attempt, worker, key: request.key, request, accountByMs: Infinity, owedCancel: null };
  world.attempts.push(request.attempt);
}

/** [S4] to [S7]: may this worker serve this request now? */
function judgeWorker(world: World, { id, model, avoid }: RequestRecord, worker: WorkerRecord): void {
  expect(!worker.isDraining, "S7", `dispatched ${id} to ${worker.id}, which drains`);
  expect(!world.isCooling(worker), "S7", `dispatched ${id} to ${worker.id}, which cools down until ${worker.coolUntilMs}`);
  expect(offers(worker, model), "S7", `dispatched ${id} to ${worker.id}, which does not offer ${model}`);
  expect(!worker.isFull, "R3", `dispatched ${id} to ${worker.id}, which said it was full`);
  expect(!avoid.includes(worker), "R6", `dispatched ${id} to ${worker.id}, whose backend refused or dropped it`);
  expect(worker.inFlight < worker.slots, "S6", `dispatched ${id} to ${worker.id}, whose ${worker.slots} slots are taken`);
  expect(
    loadOf(worker) < worker.slots,
    "S5",
    `dispatched ${id} to ${worker.id}: ${worker.inFlight} + ${worker.external} of ${worker.slots}`,
  );
}

/** [S2], [S3] */
function judgeOrder(world: World, request: RequestRecord, worker: WorkerRecord): void {
  for (const other of world.requests) {
    if (other === request || other.attempt !== null || (other.owed !== "nothing" && other.owed !== "requeue")) continue;
    if (!world.mayServe(worker, other) || world.isHeldBack(other)) continue;
    const rule = other.key === request.key ? "S2" : "S3";
    if (isBefore(other, request)) {
      const places = `${request.id} (tag ${request.tag}, #${request.order}) before ${other.id} (tag ${other.tag}, #${other.order})`;
      throw new Violation(other.tries > 0 ? "R1" : rule, `${worker.id} was given ${places}`);
    }
    if (other.tag === request.tag) world.sometimes["fairness tie broken by arrival"]++;
    if (other.order < request.order && rule === "S3") world.sometimes["key flood overtaken"]++;
    if (other.order > request.order && other.model !== request.model) world.sometimes["older request of another model goes first"]++;
    // A key that was held back by its limit has turns left from then.
    if (world.isUniform && other.isFresh && rule === "S3" && request.tries === 0 && request.keyLimit === 0) {
      expect(!other.overtakenBy.includes(request.key), "S3", `key ${request.key} went before ${other.id} twice, now with ${request.id}`);
      other.overtakenBy.push(request.key);
    }
  }
}

/** [S4] */
function judgePick(world: World, { id, model, avoid }: RequestRecord, worker: WorkerRecord): void {
  const load = loadOf(worker);
  for (const other of world.workers) {
    if (other === worker) continue;
    const otherLoad = loadOf(other);
    if (otherLoad >= other.slots) {
      if (other.inFlight < other.slots) world.sometimes["slot kept free for external load"]++;
      continue;
    }
    if (other.isDraining || other.isFull || world.isCooling(other) || !offers(other, model) || avoid.includes(other)) continue;
    const difference = load * other.slots - otherLoad * worker.slots || load - otherLoad || worker.lastGiven - other.lastGiven;
    if (difference > 0) {
      const [mine, better] = [worker, other].map((one) => `${one.id} (${loadOf(one)}/${one.slots}, given #${one.lastGiven})`);
      throw new Violation("S4", `${id} went to ${mine}, not to ${better}`);
    }
    if (load * other.slots !== otherLoad * worker.slots) world.sometimes["pick by load per slot"]++;
    else if (load === otherLoad && other.lastGiven > 0) world.sometimes["pick by least recently given work"]++;
  }
}

function noteDispatch(world: World, request: RequestRecord, worker: WorkerRecord): void {
  const { sometimes } = world;
  if (request.arrivedMs < world.nowMs && request.tries === 0) sometimes["dispatched after waiting"]++;
  if (worker.models.includes("*")) sometimes["any-model worker serves"]++;
  if (request.keyLimit > 0 && world.attempts.some(({ key, request: live }) => key === request.key && live === null)) {
    sometimes["limited key served beside its own cancelled request"]++;
  }
  if (request.inGrace) sometimes["dispatched after grace"]++;
  if (request.wasWithdrawn) sometimes["served after being withdrawn"]++;
  if (worker.coolMs > 0) sometimes["cool-down over, worker serves again"]++;
  if (worker.supersededMs >= 0) sometimes["dispatched to the superseding worker"]++;
  if (worker.hasResumed) sometimes["resumed and given work"]++;
  if (world.isDraining) sometimes["relay drain still serves"]++;
}

function judgeCancel(world: World, effect: Effect & { readonly type: "cancel" }): void {
  const attempt = world.attempt(effect.attempt);
  if (attempt === undefined) {
    expect(world.departed.includes(effect.attempt), "C2", `cancelled attempt ${effect.attempt}, which is not running`);
    return removeFrom(world.departed, effect.attempt);
  }
  const { owedCancel, worker } = attempt;
  expect(owedCancel === effect.cause, "C2", `cancelled attempt ${attempt.id} (${effect.cause}), owed is ${owedCancel}`);
  expect(worker.id === effect.worker, "C2", `attempt ${attempt.id} runs on ${worker.id}, not on ${effect.worker}`);
  attempt.owedCancel = null;
}

function judgeRefusal(world: World, effect: RefuseEffect): void {
  const request = liveRequest(world, effect.request, "refuse");
  const { owed, codes, id } = request;
  const what = owed === "refuse" ? codes.join(" or ") : owed;
  expect(
    owed === "refuse" && codes.includes(effect.code),
    ruleOf(request, effect.code),
    `${id} was refused ${effect.code}, due is: ${what}`,
  );
  judgeNearest(world, effect, request);
  world.forgetRequest(request);
}

/** The nearest names come with the codes that may stem from a misspelt model. */
function judgeNearest(world: World, { code, nearest }: RefuseEffect, request: RequestRecord): void {
  // Models of a worker closed in this very step may be named or not.
  if (code === "no_workers" && world.closing.length > 0) return;
  const offered = code === "model_not_found" || code === "no_workers" ? request.nearest : [];
  if (offered.length > 0) world.sometimes["nearest names offered"]++;
  expect(nearest.join() === offered.join(), "Q5", `nearest to ${request.model}: ${offered.join()}, not ${nearest.join()}`);
}

function judgeRequeue(world: World, effect: Effect & { readonly type: "requeued" }): void {
  const request = liveRequest(world, effect.request, "requeue");
  const { id, requeueCause } = request;
  if (request.owed === "refuse" && request.mayRequeue) return;
  expect(
    request.owed === "requeue",
    request.hasStarted ? "R7" : ruleOf(request),
    `requeued ${id}, which owes: ${request.owed} ${request.codes.join("/")}`,
  );
  expect(effect.cause === requeueCause, "R1", `requeued ${id} because ${effect.cause}, not ${requeueCause}`);
  expect(world.usedAttempts.has(effect.attempt), "R1", `requeued ${id} from attempt ${effect.attempt}, which never was`);
  const { maxQueueLength } = world.limits;
  if (maxQueueLength > 0 && world.queueLength() >= maxQueueLength) world.sometimes["requeued into a full queue"]++;
  request.owed = "nothing";
  request.waitSinceMs = world.nowMs;
  if (!world.workers.some((worker) => offers(worker, request.model))) request.wasWithdrawn = true;
}

/** [W3] */
function judgeDrained(world: World, id: string, event: SchedulerEvent): void {
  const worker = world.worker(id);
  if (worker === undefined) throw new Violation("W3", `${id} is reported drained, but it is not there`);
  const isToldAgain = event.type === "worker-draining" && event.worker === id;
  expect(worker.isDraining && worker.inFlight === 0, "W3", `${id} is reported drained with ${worker.inFlight} in flight`);
  expect(!worker.isDrainReported || isToldAgain, "W3", `${id} is reported drained twice`);
  world.sometimes[isToldAgain ? "drained at once" : "drained after its last answer"]++;
  worker.isDrainReported = true;
}

function liveRequest(world: World, id: string, what: string): RequestRecord {
  const request = world.request(id);
  if (request === undefined) throw new Violation("contract", `${what} of ${id}, which is over or never was`);
  return request;
}

/** The rule an unexpected word about a request breaks: the one that says what was due, or the one the code belongs to. */
function ruleOf(request: RequestRecord, code?: RefuseEffect["code"]): RuleId {
  if (request.owed !== "nothing") return request.owedRule;
  if (code === undefined) return "contract";
  return RULE_OF_CODE[code] ?? "contract";
}

const RULE_OF_CODE: Partial<Record<RefuseEffect["code"], RuleId>> = {
  queue_full: "Q2",
  queue_timeout: "Q3",
  no_workers: "Q6",
  backend_error: "R4",
  model_not_found: "Q5",
  requeue_exhausted: "R2",
  worker_lost: "R7",
  draining: "W4",
  request_timeout: "C4",
  total_timeout: "C4",
};

function expect(condition: boolean, rule: RuleId, message: string): asserts condition {
  if (!condition) throw new Violation(rule, message);
}
