// The rare states a simulation must have reached for its silence to mean anything.
import { assert } from "../../src/base/assert.ts";

const RARE_STATES = [
  "dispatched on arrival",
  "dispatched after waiting",
  "several dispatches in one step",
  "older request of another model goes first",
  "key flood overtaken",
  "fairness tie broken by arrival",
  "pick by load per slot",
  "pick by least recently given work",
  "slot kept free for external load",
  "any-model worker serves",
  "held back by its key's limit",
  "waits beside a free slot for its key's limit",
  "limited key served beside its own cancelled request",
  "position above 1",
  "queue full by count",
  "pushed out of a full queue",
  "queue full by bytes",
  "dispatched past a full queue",
  "requeued into a full queue",
  "unknown model refused",
  "nearest names offered",
  "waits because no worker is connected",
  "waits in grace after start",
  "waits in grace after withdrawal",
  "dispatched after grace",
  "model withdrawn while waited for",
  "served after being withdrawn",
  "requeued after loss",
  "requeued after a clean leave",
  "loss exhausts the requeues",
  "refusal exhausts the requeues",
  "rejected as full",
  "rejected as draining",
  "rejected as unsent",
  "rejected after the first byte",
  "load report ends a full pause",
  "backend refused",
  "refused again while cooling down",
  "cool-down doubled",
  "cool-down at its longest",
  "cool-down reset by an answer",
  "cool-down over, worker serves again",
  "refused everywhere",
  "dropped, tried elsewhere",
  "dropped twice",
  "avoided worker idle while the request waits",
  "failed after the first byte",
  "worker lost after the first byte",
  "queue time-out",
  "queue time-out without workers",
  "queue time-out while all cool down",
  "request time-out in the queue",
  "request time-out before the first byte",
  "request time-out in a whole answer",
  "total time-out in a stream",
  "time-out after a requeue",
  "time-out and event in one step",
  "several deadlines in one step",
  "hang-up in the queue",
  "hang-up after dispatch",
  "hang-up in a stream",
  "hang-up after a requeue",
  "hub ends a waiting request",
  "hub ends a running request",
  "cancel acknowledged",
  "cancelled attempt ends by itself",
  "cancelled attempt rejected",
  "cancelled attempt goes with its worker",
  "unanswered cancel closes the worker",
  "unanswered cancel requeues others",
  "superseded while idle",
  "superseded in flight",
  "dispatched to the superseding worker",
  "drained at once",
  "drained after its last answer",
  "drain resumed before idle",
  "resumed and given work",
  "relay drain refuses",
  "relay drain still serves",
  "late reply ignored",
  "double start ignored",
  "acknowledged without a cancel",
  "stray word about a worker that left",
  "stray word about a request that is over",
  "woken exactly in time",
  "queue emptied at the end",
] as const;

export type RareState = (typeof RARE_STATES)[number];

/** How often each rare state was reached. */
export type Sometimes = Record<RareState, number>;

export function createSometimes(): Sometimes {
  const counts: Partial<Sometimes> = {};
  for (const state of RARE_STATES) counts[state] = 0;
  assert(isComplete(counts), "every rare state has a count");
  return counts;
}

function isComplete(counts: Partial<Sometimes>): counts is Sometimes {
  return RARE_STATES.every((state) => counts[state] !== undefined);
}

export function addSometimes(total: Sometimes, more: Sometimes): void {
  for (const state of RARE_STATES) total[state] += more[state];
}

export function neverReached(counts: Sometimes): readonly RareState[] {
  return RARE_STATES.filter((state) => counts[state] === 0);
}
