// Workers that are killed, stopped and drained all the time: each request ends in one of the ways it may, and nothing is left behind.
import { expect } from "bun:test";
import { freshSeed, Random } from "../support/random.ts";
import { ask, type Outcome, outcome, POLITE } from "./asking.ts";
import type { Child } from "./child.ts";
import { startNeighbour } from "./neighbour.ts";
import { type Backend, type Relay, type Rig, scenario } from "./rig.ts";

const CLIENTS = 10;
const INCIDENTS = 6;
const SLOTS = 3;
const MAY_BE: readonly Outcome[] = [
  POLITE,
  { status: 200, code: "worker_lost", end: "broken" },
  { status: 502, code: "worker_lost", end: "clean" },
  { status: 503, code: "requeue_exhausted", end: "clean" },
];

/** Asks again and again until told to stop; resolves to how each request ended. */
async function keepAsking(relay: Relay, random: Random, isOver: () => boolean): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  while (!isOver()) {
    const stream = random.oneIn(2);
    outcomes.push(await outcome(relay, { stream, marker: stream ? "fake:words:10:10" : "fake:polite" }));
  }
  return outcomes;
}

/** Something happens to one worker, and a new one comes. */
async function incident(rig: Rig, { relay, backend, workers }: { relay: Relay; backend: Backend; workers: Child[] }, random: Random) {
  const [victim] = workers.splice(random.below(workers.length), 1);
  victim!.signal(random.pick(["SIGKILL", "SIGTERM", "SIGSTOP"]));
  workers.push(await rig.worker(relay, backend, { slots: SLOTS, name: `after-${victim!.name}` }));
}

scenario("[W1] [R2] [S6] workers come and go under load: no request is lost, and every slot comes back", async (rig) => {
  const random = new Random(freshSeed("churn"));
  const [relay, backend, quiet] = await Promise.all([rig.relay(["--heartbeat-interval", "0.3"]), rig.backend(), rig.backend()]);
  await rig.worker(relay, quiet, { name: "quiet", models: "other" });
  const neighbour = await startNeighbour(relay, { model: "other" });
  const workers = await Promise.all(["a", "b", "c"].map((name) => rig.worker(relay, backend, { slots: SLOTS, name })));
  let isOver = false;
  const clients = Array.from({ length: CLIENTS }, () => keepAsking(relay, random, () => isOver));
  for (let count = 0; count < INCIDENTS; count++) {
    await incident(rig, { relay, backend, workers }, random);
    await neighbour.flows(5);
  }
  isOver = true;
  const outcomes = (await Promise.all(clients)).flat();
  for (const ended of outcomes) expect(MAY_BE).toContainEqual(ended);
  expect(outcomes.filter(({ code }) => code === null).length).toBeGreaterThan(outcomes.length / 2);
  await relay.queues(0);

  // One of them stays, with all its slots: as many requests run as it has, and one waits.
  for (const worker of workers.slice(1)) worker.signal("SIGKILL");
  await relay.has(2);
  const full = Array.from({ length: SLOTS + 1 }, (_, index) => ask(relay, { id: `full${index}`, marker: "fake:held" }));
  await relay.queues(1);
  await backend.says("request", { marker: "fake:held" }, SLOTS);
  await backend.release();
  await Promise.all(full);
  await neighbour.finishes(quiet);
});
