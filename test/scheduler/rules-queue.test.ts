// Who may wait, for how long, and what they are told in the end: rules Q1 to Q7 of docs/behaviour.md.
import { expect, test } from "bun:test";
import { Scenario } from "./scenario.ts";

test("[Q1] [Q2] a request that would have to wait in a queue full by count is refused at once", () => {
  const s = new Scenario({ maxQueueLength: 2 });
  s.join("w1");
  expect(s.arrive("r1")).toEqual(["r1 -> w1 #1"]);
  expect(s.arrive("r2")).toEqual([]);
  expect(s.arrive("r3")).toEqual([]);
  expect(s.arrive("r4")).toEqual(["refuse r4: queue_full"]);
});

test("[Q1] [Q2] a request whose body does not fit beside those that wait is refused at once", () => {
  const s = new Scenario({ maxQueueBytes: 100 });
  expect(s.arrive("r1", { bytes: 60 })).toEqual([]);
  expect(s.arrive("r2", { bytes: 41 })).toEqual(["refuse r2: queue_full"]);
  expect(s.arrive("r3", { bytes: 40 })).toEqual([]);
  s.hangUp("r1");
  expect(s.scheduler.counts().queuedBytes).toBe(40);
  expect(s.arrive("r4", { bytes: 60 })).toEqual([]);
});

test("[Q1] 0 switches the bound by count and the queue time-out off", () => {
  const s = new Scenario({ maxQueueLength: 0, queueTimeoutMs: 0, requestTimeoutMs: 0 });
  for (let at = 0; at < 500; at++) expect(s.arrive(`r${at}`)).toEqual([]);
  expect(s.pass(1_000_000)).toEqual([]);
  expect(s.scheduler.counts().queued).toBe(500);
});

test("[Q2] a full queue does not keep a request from a free slot nobody else may use", () => {
  const s = new Scenario({ maxQueueLength: 1 });
  s.join("w1", { models: ["phi"] });
  s.arrive("r1", { model: "llama" });
  expect(s.arrive("r2", { model: "phi" })).toEqual(["r2 -> w1 #1"]);
  expect(s.arrive("r3", { model: "phi" })).toEqual(["refuse r3: queue_full"]);
});

test("[Q2] a requeued request finds room in a full queue", () => {
  const s = new Scenario({ maxQueueLength: 1 });
  s.join("w1");
  s.arrive("r1");
  s.arrive("r2");
  expect(s.leave("w1")).toEqual(["requeue r1: worker-lost"]);
  expect(s.scheduler.counts().queued).toBe(2);
});

test("[Q3] only time spent waiting counts against the queue time-out", () => {
  const s = new Scenario({ queueTimeoutMs: 30_000, requestTimeoutMs: 0 });
  s.arrive("r1");
  s.pass(20);
  expect(s.join("w1")).toEqual(["r1 -> w1 #1"]);
  s.pass(100);
  expect(s.leave("w1")).toEqual(["requeue r1: worker-lost"]);
  expect(s.wakeAtSecs).toBe(130);
  expect(s.pass(9.999)).toEqual([]);
  expect(s.pass(0.001)).toEqual(["refuse r1: no_workers"]);
});

test("[Q3] a dispatch tells how long the request has waited, all tries together", () => {
  const s = new Scenario();
  const waits: number[] = [];
  const listen = (event: Parameters<Scenario["tell"]>[0], nowMs: number): void => {
    for (const effect of s.scheduler.apply(event, nowMs)) if (effect.type === "dispatch") waits.push(effect.waitedMs, effect.tries);
  };
  const joined = (worker: string) => ({ type: "worker-joined", worker, instance: null, models: ["llama"], slots: 1, load: 0 }) as const;
  s.arrive("r1");
  listen(joined("w1"), 300);
  listen({ type: "worker-left", worker: "w1", how: "lost" }, 5_000);
  listen(joined("w2"), 5_040);
  expect(waits).toEqual([300, 1, 340, 2]);
});

test("[Q4] a queue wait that is over says why", () => {
  const s = new Scenario({ queueTimeoutMs: 30_000, coolDownMinMs: 60_000, coolDownMaxMs: 60_000 });
  s.join("busy", { models: ["llama"] });
  s.join("broken", { models: ["phi"] });
  s.arrive("running", { model: "llama" });
  s.arrive("knock", { model: "phi" });
  expect(s.end(2, "connection-refused")).toEqual(["refuse knock: backend_error"]);
  s.arrive("r1", { model: "llama" });
  s.arrive("r2", { model: "phi" });
  s.arrive("r3", { model: "qwen" });
  expect(s.pass(30).toSorted()).toEqual(["refuse r1: queue_timeout", "refuse r2: backend_error", "refuse r3: no_workers"]);
});

test("[Q5] a model nobody offers is refused at once with the nearest names", () => {
  const s = new Scenario({ modelGraceMs: 30_000 });
  s.join("w1", { models: ["llama-3", "qwen", "*"] });
  s.offer("w1", ["llama-3", "qwen"]);
  s.pass(30);
  expect(s.arrive("r1", { model: "lama-3" })).toEqual(["refuse r1: model_not_found llama-3?"]);
  expect(s.arrive("r2", { model: "something else" })).toEqual(["refuse r2: model_not_found"]);
});

test("[Q5] without any worker, and shortly after the relay's start, every model is waited for", () => {
  const s = new Scenario({ modelGraceMs: 30_000, queueTimeoutMs: 0 });
  expect(s.arrive("r1", { model: "phi" })).toEqual([]);
  s.join("w1", { models: ["llama"] });
  s.pass(29.999);
  expect(s.arrive("r2", { model: "phi" })).toEqual([]);
  s.pass(0.001);
  expect(s.arrive("r3", { model: "phi" })).toEqual(["refuse r3: model_not_found"]);
  s.leave("w1");
  expect(s.arrive("r4", { model: "phi" })).toEqual([]);
  expect(s.join("w2", { models: ["phi"], slots: 9 })).toEqual(["r1 -> w2 #1", "r2 -> w2 #2", "r4 -> w2 #3"]);
});

test("[Q5] a model that was on offer a moment ago is waited for", () => {
  const s = new Scenario({ modelGraceMs: 30_000, queueTimeoutMs: 0 });
  s.join("stays", { models: ["llama"] });
  s.join("goes", { models: ["phi"] });
  s.pass(100);
  s.leave("goes");
  s.pass(29.999);
  expect(s.arrive("r1", { model: "phi" })).toEqual([]);
  s.pass(0.001);
  expect(s.arrive("r2", { model: "phi" })).toEqual(["refuse r2: model_not_found"]);
  s.join("any", { models: ["*"], load: 1 });
  s.leave("any");
  expect(s.arrive("r3", { model: "never heard of" })).toEqual([]);
});

test("[Q6] a model withdrawn while requests wait for it: they wait on", () => {
  const s = new Scenario({ modelGraceMs: 0, queueTimeoutMs: 60_000 });
  s.join("w1", { models: ["phi"] });
  s.join("w2", { models: ["llama"] });
  s.arrive("running", { model: "phi" });
  s.arrive("r1", { model: "phi" });
  expect(s.offer("w1", [])).toEqual([]);
  expect(s.arrive("r2", { model: "phi" })).toEqual(["refuse r2: model_not_found"]);
  s.pass(59);
  expect(s.offer("w2", ["phi"])).toEqual(["r1 -> w2 #2"]);
});

test("[Q7] a full queue has room for a key that has less in it: the newest of the key that has most goes", () => {
  const s = new Scenario({ maxQueueLength: 4 });
  s.join("w1");
  s.arrive("running", { key: "anna" });
  for (const id of ["a1", "a2", "a3", "a4"]) s.arrive(id, { key: "anna" });
  expect(s.arrive("b1", { key: "bert" })).toEqual(["refuse a4: queue_full"]);
  expect(s.arrive("b2", { key: "bert" })).toEqual(["refuse a3: queue_full"]);
  // As many as anna has: bert is the one who has to go now, and anna too.
  expect(s.arrive("b3", { key: "bert" })).toEqual(["refuse b3: queue_full"]);
  expect(s.arrive("a5", { key: "anna" })).toEqual(["refuse a5: queue_full"]);
  expect(s.arrive("c1", { key: "carl" })).toEqual(["refuse a2: queue_full"]);
  expect(s.scheduler.counts().queued).toBe(4);
});

test("[Q7] of several models the newest of all goes, and what was tried already never does", () => {
  const s = new Scenario({ maxQueueLength: 2 });
  s.join("w1", { models: ["llama", "phi"], slots: 2 });
  s.arrive("a1", { key: "anna", model: "llama" });
  s.arrive("a2", { key: "anna", model: "phi" });
  s.arrive("a3", { key: "anna", model: "phi" });
  s.arrive("a4", { key: "anna", model: "llama" });
  expect(s.arrive("b1", { key: "bert", model: "phi" })).toEqual(["refuse a4: queue_full"]);
  s.leave("w1");
  // The two that were lost wait again, beyond the bound; only a3 has not been tried.
  expect(s.arrive("c1", { key: "carl", model: "phi" })).toEqual(["refuse a3: queue_full"]);
  expect(s.arrive("d1", { key: "dora", model: "phi" })).toEqual(["refuse d1: queue_full"]);
});
