// What each event does to the oracle's world, and what the scheduler owes for it.
import { unreachable } from "../../src/base/assert.ts";
import type { RequestArrived, ResponseOutcome, SchedulerEvent, WorkerJoined } from "../../src/scheduler/events.ts";
import {
  cancelAttempt,
  coolDown,
  nearestOffered,
  noteAnswer,
  noteWithdrawn,
  oweEnd,
  oweRefusal,
  removeWorker,
  retryDropped,
  retryRefused,
  retryRejected,
  withdraw,
} from "./transitions.ts";
import { type AttemptRecord, isWaiting, loadOf, offers, type RequestRecord, type WorkerRecord, type World } from "./world.ts";

export function happen(world: World, event: SchedulerEvent): void {
  switch (event.type) {
    case "request-arrived":
      return arrive(world, event);
    case "client-left":
      return onRequest(world, event.request, (request) => hangUp(world, request));
    case "request-failed":
      return onRequest(world, event.request, (request) => {
        world.sometimes[request.attempt === null ? "hub ends a waiting request" : "hub ends a running request"]++;
        cancelAttempt(world, request, "failed");
        oweRefusal(request, [event.code], "contract");
      });
    case "worker-joined":
      return join(world, event);
    case "worker-left":
      return onWorker(world, event.worker, (worker) => {
        if (event.how === "clean" && worker.inFlight > 0) world.sometimes["requeued after a clean leave"]++;
        removeWorker(world, worker, null);
      });
    case "worker-draining":
      return onWorker(world, event.worker, (worker) => {
        worker.isDraining = true;
      });
    case "worker-resumed":
      return onWorker(world, event.worker, (worker) => resume(world, worker));
    case "worker-models-changed":
      return onWorker(world, event.worker, (worker) => {
        withdraw(world, worker);
        worker.models = event.models;
        noteWithdrawn(world);
      });
    case "worker-load-reported":
      return onWorker(world, event.worker, (worker) => {
        if (worker.isFull) world.sometimes["load report ends a full pause"]++;
        worker.isFull = false;
        worker.external = Math.max(0, event.load - worker.inFlight);
      });
    case "attempt-rejected":
      return onAttempt(world, event.attempt, (attempt) => reject(world, attempt, event.reason));
    case "response-started":
      return onAttempt(world, event.attempt, (attempt) => start(world, attempt));
    case "response-ended":
      return onAttempt(world, event.attempt, (attempt) => end(world, attempt, event.outcome));
    case "cancel-acknowledged":
      return onAttempt(world, event.attempt, (attempt) => {
        if (attempt.request === null) world.forgetAttempt(attempt);
        world.sometimes[attempt.request === null ? "cancel acknowledged" : "acknowledged without a cancel"]++;
      });
    case "relay-draining":
      world.isDraining = true;
      return;
    case "tick":
      return;
    default:
      unreachable(event);
  }
}

function onRequest(world: World, id: string, act: (request: RequestRecord) => void): void {
  const request = world.request(id);
  if (request === undefined) world.sometimes["stray word about a request that is over"]++;
  else if (request.owed === "nothing") act(request);
}

function onWorker(world: World, id: string, act: (worker: WorkerRecord) => void): void {
  const worker = world.worker(id);
  if (worker === undefined) world.sometimes["stray word about a worker that left"]++;
  else act(worker);
}

function onAttempt(world: World, id: number, act: (attempt: AttemptRecord) => void): void {
  const attempt = world.attempt(id);
  if (attempt === undefined) world.sometimes["late reply ignored"]++;
  else act(attempt);
}

function arrive(world: World, event: RequestArrived): void {
  const nextTag = world.nextTag(event.key);
  const request: RequestRecord = {
    id: event.request,
    model: event.model,
    key: event.key,
    bytes: event.bytes,
    isStreaming: event.isStreaming,
    keyLimit: event.keyLimit ?? 0,
    arrivedMs: world.nowMs,
    order: ++world.arrivals,
    tag: Math.max(world.virtualTime, nextTag),
    isFresh: nextTag <= world.virtualTime,
    attempt: null,
    hasStarted: false,
    waitedMs: 0,
    waitSinceMs: world.nowMs,
    tries: 0,
    counted: 0,
    drops: 0,
    avoid: [],
    overtakenBy: [],
    wasWithdrawn: false,
    inGrace: false,
    owed: "nothing",
    owedRule: "contract",
    codes: [],
    nearest: [],
    requeueCause: null,
    mayDispatch: false,
    mayRequeue: false,
  };
  admit(world, request);
  world.requests.push(request);
}

/** [W4], [Q5], [Q2], in this order. */
function admit(world: World, request: RequestRecord): void {
  const { sometimes } = world;
  if (world.isDraining) {
    sometimes["relay drain refuses"]++;
    return oweRefusal(request, ["draining"], "W4");
  }
  if (!world.workers.some((worker) => offers(worker, request.model)) && !isAwaited(world, request)) {
    sometimes["unknown model refused"]++;
    return oweRefusal(request, ["model_not_found"], "Q5", nearestOffered(world, request.model));
  }
  const isHeldBack = world.isHeldBack(request);
  const hasFreeSlot = !isHeldBack && world.workers.some((worker) => world.mayServe(worker, request) && loadOf(worker) < worker.slots);
  const { maxQueueLength, maxQueueBytes } = world.limits;
  const isFullByCount = maxQueueLength > 0 && world.queueLength() >= maxQueueLength;
  const isFullByBytes = world.queueBytes() + request.bytes > maxQueueBytes;
  if (isHeldBack) sometimes["held back by its key's limit"]++;
  if (hasFreeSlot) {
    sometimes["dispatched on arrival"]++;
    if (isFullByCount) sometimes["dispatched past a full queue"]++;
  } else if (isFullByBytes) {
    sometimes["queue full by bytes"]++;
    oweRefusal(request, ["queue_full"], "Q2");
  } else if (isFullByCount) {
    sometimes["queue full by count"]++;
    const pushedOut = crowdingOut(world, request);
    if (pushedOut !== null) sometimes["pushed out of a full queue"]++;
    oweRefusal(pushedOut ?? request, ["queue_full"], pushedOut === null ? "Q2" : "Q7");
  }
}

/** [Q7] The newest untried request of the key that has most waiting, if that is more than the arrival's key has with it. */
function crowdingOut(world: World, arrived: RequestRecord): RequestRecord | null {
  const waiting = world.requests.filter(isWaiting);
  const countOf = (key: string) => waiting.filter((request) => request.key === key).length + (key === arrived.key ? 1 : 0);
  const keys = [...new Set(waiting.map(({ key }) => key))].sort((a, b) => countOf(b) - countOf(a) || (a < b ? -1 : 1));
  const [most] = keys;
  if (most === undefined || countOf(most) <= countOf(arrived.key)) return null;
  return waiting.filter(({ key, tries }) => key === most && tries === 0).sort((a, b) => b.order - a.order)[0] ?? null;
}

/** [Q5] Whether a model nobody offers is waited for. */
function isAwaited(world: World, request: RequestRecord): boolean {
  const { nowMs, limits, sometimes } = world;
  if (world.workers.length === 0) {
    sometimes["waits because no worker is connected"]++;
    return true;
  }
  request.inGrace = true;
  if (nowMs - world.startedMs < limits.modelGraceMs) {
    sometimes["waits in grace after start"]++;
    return true;
  }
  const lastMs = Math.max(world.lastOfferedMs.get(request.model) ?? -Infinity, world.lastAnyOfferedMs);
  if (nowMs - lastMs >= limits.modelGraceMs) return false;
  sometimes["waits in grace after withdrawal"]++;
  return true;
}

/** [C1], [C2] */
function hangUp(world: World, request: RequestRecord): void {
  const { sometimes } = world;
  if (request.attempt === null) sometimes[request.tries > 0 ? "hang-up after a requeue" : "hang-up in the queue"]++;
  else sometimes[request.hasStarted ? "hang-up in a stream" : "hang-up after dispatch"]++;
  oweEnd(request, request.attempt === null ? "C1" : "C2");
  cancelAttempt(world, request, "client-left");
}

/** [W2] */
function join(world: World, event: WorkerJoined): void {
  const older = event.instance === null ? undefined : world.workers.find((worker) => worker.instance === event.instance);
  if (older !== undefined) {
    world.sometimes[older.inFlight > 0 ? "superseded in flight" : "superseded while idle"]++;
    removeWorker(world, older, "superseded");
  }
  world.workers.push({
    id: event.worker,
    instance: event.instance,
    slots: event.slots,
    models: event.models,
    inFlight: 0,
    external: event.load,
    isDraining: false,
    isDrainReported: false,
    isFull: false,
    coolUntilMs: 0,
    coolMs: 0,
    lastGiven: 0,
    supersededMs: older === undefined ? -1 : world.nowMs,
    hasResumed: false,
  });
}

/** [W3] */
function resume(world: World, worker: WorkerRecord): void {
  if (worker.isDraining) {
    if (!worker.isDrainReported) world.sometimes["drain resumed before idle"]++;
    worker.hasResumed = true;
  }
  worker.isDraining = false;
  worker.isDrainReported = false;
}

/** [R3] "Never sent" pauses the worker like "full": the connection is not taking anything. Also a zombie's rejection tells that. */
function reject(world: World, attempt: AttemptRecord, reason: "draining" | "full" | "unsent"): void {
  const { request, worker } = attempt;
  world.forgetAttempt(attempt);
  if (reason === "draining") worker.isDraining = true;
  else worker.isFull = true;
  if (request === null) {
    world.sometimes["cancelled attempt rejected"]++;
    return;
  }
  if (request.hasStarted) {
    world.sometimes["rejected after the first byte"]++;
    request.attempt = null;
    return oweRefusal(request, ["backend_error"], "R7");
  }
  world.sometimes[`rejected as ${reason}`]++;
  retryRejected(request);
}

function start(world: World, attempt: AttemptRecord): void {
  const { request } = attempt;
  if (request === null) return;
  if (request.hasStarted) world.sometimes["double start ignored"]++;
  else noteAnswer(world, attempt.worker);
  request.hasStarted = true;
}

function end(world: World, attempt: AttemptRecord, outcome: ResponseOutcome): void {
  const { request, worker } = attempt;
  world.forgetAttempt(attempt);
  if (outcome === "connection-refused") coolDown(world, worker);
  if (request === null) {
    world.sometimes["cancelled attempt ends by itself"]++;
    return;
  }
  request.attempt = null;
  if (outcome === "ok") {
    noteAnswer(world, worker);
    oweEnd(request, "contract");
  } else if (request.hasStarted) {
    world.sometimes["failed after the first byte"]++;
    oweRefusal(request, ["backend_error"], "R7");
  } else if (outcome === "connection-refused") {
    retryRefused(world, request, worker);
  } else if (outcome === "dropped") {
    retryDropped(world, request, worker);
  } else {
    oweRefusal(request, ["backend_error"], "contract");
  }
}
