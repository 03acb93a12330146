// Who is served, when, and by which worker: rules S1 to S9 of docs/behaviour.md.
import { expect, test } from "bun:test";
import { Scenario } from "./scenario.ts";

/** Two keys wait for one slot: anna's flood first, then bert. */
function floodOf(anna: number, bert: number): Scenario {
  const s = new Scenario();
  s.join("w1");
  s.arrive("running", { key: "anna" });
  for (let at = 1; at <= anna; at++) s.arrive(`a${at}`, { key: "anna" });
  for (let at = 1; at <= bert; at++) s.arrive(`b${at}`, { key: "bert" });
  return s;
}

/** The order in which everything that waits is served by one slot whose first attempt runs. */
function orderServed(s: Scenario): readonly string[] {
  const order: string[] = [];
  for (let attempt = 1; ; attempt++) {
    const dispatch = s.end(attempt).find((word) => word.includes("->"));
    if (dispatch === undefined) return order;
    order.push(dispatch.split(" ")[0]!);
  }
}

test("[S1] a request that finds a free slot is dispatched at once", () => {
  const s = new Scenario();
  expect(s.join("w1")).toEqual([]);
  expect(s.arrive("r1")).toEqual(["r1 -> w1 #1"]);
});

test("[S1] whatever frees a slot gives it away in the same step", () => {
  const s = new Scenario();
  s.arrive("r1");
  s.arrive("r2");
  s.arrive("r3");
  s.arrive("r4");
  s.arrive("r5", { model: "phi" });
  expect(s.join("w1")).toEqual(["r1 -> w1 #1"]);
  expect(s.end(1)).toEqual(["end r1", "r2 -> w1 #2"]);
  expect(s.hangUp("r2")).toEqual(["cancel #2 on w1: client-left", "end r2"]);
  expect(s.acknowledge(2)).toEqual(["r3 -> w1 #3"]);
  s.end(3);
  s.report("w1", 2);
  expect(s.end(4)).toEqual(["end r4"]);
  expect(s.report("w1", 0)).toEqual([]);
  expect(s.offer("w1", ["llama", "phi"])).toEqual(["r5 -> w1 #5"]);
});

test("[S1] a worker that joins fills all its slots", () => {
  const s = new Scenario();
  s.arrive("r1");
  s.arrive("r2");
  s.arrive("r3");
  expect(s.join("w1", { slots: 2 })).toEqual(["r1 -> w1 #1", "r2 -> w1 #2"]);
});

test("[S2] with one identity a freed worker takes the oldest request among all models it serves", () => {
  const s = new Scenario();
  s.arrive("r1", { model: "phi" });
  s.arrive("r2", { model: "llama" });
  s.arrive("r3", { model: "phi" });
  s.arrive("r4", { model: "qwen" });
  expect(s.join("w1", { models: ["llama", "phi"], slots: 3 })).toEqual(["r1 -> w1 #1", "r2 -> w1 #2", "r3 -> w1 #3"]);
  expect(s.join("w2", { models: ["*"] })).toEqual(["r4 -> w2 #4"]);
});

test("[S3] a flood of one key delays another key's next request by at most one request", () => {
  const order = orderServed(floodOf(6, 3));
  expect(order).toEqual(["b1", "a1", "b2", "a2", "b3", "a3", "a4", "a5", "a6"]);
});

test("[S3] at equal tags the older request goes first, also before a key that comes later", () => {
  const s = floodOf(2, 1);
  s.arrive("c1", { key: "cleo" });
  expect(orderServed(s)).toEqual(["b1", "c1", "a1", "a2"]);
});

test("[S3] a key that was quiet for long has saved nothing up", () => {
  const s = new Scenario();
  s.join("w1");
  for (let at = 1; at <= 20; at++) {
    s.arrive(`x${at}`, { key: "anna" });
    s.end(at);
  }
  s.arrive("running", { key: "anna" });
  for (const at of [1, 2, 3]) s.arrive(`b${at}`, { key: "bert" });
  for (const at of [1, 2]) s.arrive(`a${at}`, { key: "anna" });
  const served = [21, 22, 23, 24, 25].map((attempt) =>
    s
      .end(attempt)
      .find((word) => word.includes("->"))
      ?.slice(0, 2),
  );
  expect(served).toEqual(["b1", "b2", "a1", "b3", "a2"]);
});

test("[S3] what was refused for lack of room, or left the queue, costs its key no turn", () => {
  const s = new Scenario({ maxQueueLength: 2 });
  s.join("w1");
  s.arrive("running", { key: "anna" });
  s.arrive("a1", { key: "anna" });
  s.arrive("b1", { key: "bert" });
  for (let at = 0; at < 50; at++) expect(s.arrive(`again${at}`, { key: "anna" })).toEqual([`refuse again${at}: queue_full`]);
  s.hangUp("b1");
  s.arrive("a2", { key: "anna" });
  expect(s.end(1)).toContain("a1 -> w1 #2");
  for (let at = 0; at < 50; at++) {
    s.arrive(`b${at}`, { key: "bert" });
    s.hangUp(`b${at}`);
  }
  s.arrive("b2", { key: "bert" });
  expect(s.end(2)).toContain("b2 -> w1 #3");
});

test("[S3] the position tells how many of the same model go first", () => {
  const s = floodOf(2, 1);
  s.arrive("other", { model: "phi", key: "bert" });
  expect(["b1", "a1", "a2", "other", "running", "nobody"].map((id) => s.scheduler.position(id))).toEqual([1, 2, 3, 1, null, null]);
});

test("[S4] the lowest load per slot wins, then the lowest load, then whoever was given work least recently", () => {
  const s = new Scenario();
  s.join("big", { slots: 4, load: 1 });
  s.join("small", { slots: 2, load: 1 });
  expect(s.arrive("r1")).toEqual(["r1 -> big #1"]);
  // Now 2 of 4 and 1 of 2: as full, but fewer.
  expect(s.arrive("r2")).toEqual(["r2 -> small #2"]);
  const even = new Scenario();
  even.join("w1", { slots: 2 });
  even.join("w2", { slots: 2 });
  expect(even.arrive("r1")).toEqual(["r1 -> w1 #1"]);
  expect(even.arrive("r2")).toEqual(["r2 -> w2 #2"]);
  even.end(2);
  even.end(1);
  expect(even.arrive("r3")).toEqual(["r3 -> w1 #3"]);
});

test("[S5] load is what runs for the relay plus what the worker reports beyond that", () => {
  const s = new Scenario();
  s.join("w1", { slots: 3 });
  s.arrive("r1");
  // 2 by its own count, ours included: one is somebody else's.
  s.report("w1", 2);
  expect(s.arrive("r2")).toEqual(["r2 -> w1 #2"]);
  expect(s.arrive("r3")).toEqual([]);
  // Our request ends; the somebody else's stays.
  expect(s.end(1)).toContain("r3 -> w1 #3");
  s.arrive("r4");
  expect(s.report("w1", 2)).toEqual(["r4 -> w1 #4"]);
});

test("[S5] a cancelled request counts until it is accounted for", () => {
  const s = new Scenario();
  s.join("w1");
  s.arrive("r1");
  s.hangUp("r1");
  expect(s.arrive("r2")).toEqual([]);
  expect(s.scheduler.counts()).toEqual({ queued: 1, queuedBytes: 1, requests: 1, inFlight: 1, workers: 1 });
  expect(s.acknowledge(1)).toEqual(["r2 -> w1 #2"]);
});

test("[S6] a slot is given back exactly once, however often the worker says so", () => {
  const s = new Scenario();
  s.join("w1");
  s.arrive("r1");
  s.arrive("r2");
  s.arrive("r3");
  expect(s.end(1)).toContain("r2 -> w1 #2");
  expect(s.end(1)).toEqual([]);
  expect(s.acknowledge(1)).toEqual([]);
  expect(s.reject(1, "unsent")).toEqual([]);
  expect(s.scheduler.counts().inFlight).toBe(1);
});

test("[S7] nothing goes to a worker that drains, cools down, left, or does not offer the model", () => {
  const s = new Scenario();
  s.join("drains", { models: ["llama"] });
  s.drain("drains");
  s.join("left");
  s.leave("left");
  s.join("other", { models: ["phi"] });
  s.join("changed");
  s.offer("changed", ["phi"]);
  expect(s.arrive("r1")).toEqual([]);
  expect(s.join("any", { models: ["*"] })).toEqual(["r1 -> any #1"]);
});

test("[S8] a request has one live attempt: the next begins where the last one ended", () => {
  const s = new Scenario();
  s.join("w1", { slots: 2 });
  s.join("w2", { slots: 2 });
  expect(s.arrive("r1")).toEqual(["r1 -> w1 #1"]);
  expect(s.leave("w1")).toEqual(["requeue r1: worker-lost", "r1 -> w2 #2"]);
  expect(s.scheduler.counts()).toMatchObject({ requests: 1, inFlight: 1 });
});

test("[S9] a key at its limit waits beside free slots; below it, its oldest request goes first, and to the best worker", () => {
  const s = new Scenario();
  s.join("w1", { models: ["llama", "phi"], slots: 2 });
  s.join("w2", { models: ["llama", "phi"], slots: 2 });
  const keyLimit = 1;
  expect(s.arrive("a1", { keyLimit })).toEqual(["a1 -> w1 #1"]);
  expect(s.arrive("a2", { keyLimit, model: "phi" })).toEqual([]);
  expect(s.arrive("a3", { keyLimit, model: "llama" })).toEqual([]);
  expect(s.arrive("b1", { key: "bert" })).toEqual(["b1 -> w2 #2"]);
  expect(s.arrive("b2", { key: "bert" })).toEqual(["b2 -> w1 #3"]);
  s.end(2);
  expect(s.hangUp("a1")).toEqual(["cancel #1 on w1: client-left", "end a1"]);
  // w1 has a slot again as well, but w2 has two.
  expect(s.acknowledge(1)).toEqual(["a2 -> w2 #4"]);
  expect(s.end(4)).toEqual(["end a2", "a3 -> w2 #5"]);
});
