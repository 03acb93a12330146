// What happens when nobody wants the answer any more, or it takes too long: rules C1 to C5 of docs/behaviour.md.
import { expect, test } from "bun:test";
import { Scenario } from "./scenario.ts";

test("[C1] a client that hangs up while its request waits: gone at once", () => {
  const s = new Scenario();
  s.arrive("r1");
  expect(s.hangUp("r1")).toEqual(["end r1"]);
  expect(s.hangUp("r1")).toEqual([]);
  expect(s.scheduler.counts()).toEqual({ queued: 0, queuedBytes: 0, requests: 0, inFlight: 0, workers: 0 });
  expect(s.join("w1")).toEqual([]);
});

test("[C2] a client that hangs up after dispatch: cancelled; the slot is free with the acknowledgement, the end, or the loss", () => {
  const s = new Scenario();
  s.join("w1");
  s.arrive("r1");
  expect(s.hangUp("r1")).toEqual(["cancel #1 on w1: client-left", "end r1"]);
  s.arrive("r2");
  expect(s.start(1)).toEqual([]);
  expect(s.acknowledge(1)).toEqual(["r2 -> w1 #2"]);
  s.start(2);
  expect(s.hangUp("r2")).toEqual(["cancel #2 on w1: client-left", "end r2"]);
  s.arrive("r3");
  expect(s.end(2)).toEqual(["r3 -> w1 #3"]);
  s.hangUp("r3");
  expect(s.leave("w1")).toEqual([]);
  expect(s.scheduler.counts().inFlight).toBe(0);
});

test("[C2] a request the hub ends is cancelled like one whose client left, and its client is told", () => {
  const s = new Scenario();
  s.join("w1");
  s.arrive("r1");
  s.arrive("r2");
  expect(s.fail("r1", "chunk_timeout")).toEqual(["cancel #1 on w1: failed", "refuse r1: chunk_timeout"]);
  expect(s.fail("r2", "cancelled")).toEqual(["refuse r2: cancelled"]);
});

test("[C3] a cancel nobody accounts for within 10 s costs the worker its connection, and nobody else their request", () => {
  const s = new Scenario();
  s.join("w1", { slots: 3 });
  s.arrive("r1");
  s.arrive("r2");
  s.arrive("r3");
  s.start(3);
  s.hangUp("r1");
  expect(s.wakeAtSecs).toBe(10);
  expect(s.pass(9.999)).toEqual([]);
  expect(s.pass(0.001)).toEqual(["close w1: cancel-unanswered", "refuse r3: worker_lost", "requeue r2: worker-lost"]);
  expect(s.leave("w1")).toEqual([]);
  expect(s.join("w2")).toEqual(["r2 -> w2 #4"]);
});

test("[C3] workers closed in one step do not get each other's requests", () => {
  const s = new Scenario({ maxRequeues: 1 });
  s.join("w1", { slots: 2 });
  s.join("w2", { slots: 2 });
  for (const at of [1, 2, 3]) s.arrive(`r${at}`);
  s.hangUp("r1");
  s.hangUp("r2");
  s.join("w3", { load: 1 });
  expect(s.pass(10)).toEqual(["close w1: cancel-unanswered", "close w2: cancel-unanswered", "requeue r3: worker-lost"]);
  expect(s.report("w3", 0)).toEqual(["r3 -> w3 #4"]);
});

test("[C4] the request time-out runs from arrival to the first byte of a stream", () => {
  const s = new Scenario({ queueTimeoutMs: 0, requestTimeoutMs: 60_000 });
  s.arrive("waits", { model: "phi" });
  s.join("w1", { slots: 2, models: ["llama"] });
  s.arrive("silent");
  s.arrive("streams");
  s.pass(59);
  s.start(2);
  expect(s.pass(1)).toEqual(["refuse waits: request_timeout", "cancel #1 on w1: timeout", "refuse silent: request_timeout"]);
  expect(s.pass(1_000)).toEqual(["close w1: cancel-unanswered", "refuse streams: worker_lost"]);
});

test("[C4] the request time-out covers the whole answer of a request that does not stream", () => {
  const s = new Scenario({ requestTimeoutMs: 60_000 });
  s.join("w1");
  s.arrive("r1", { isStreaming: false });
  s.pass(59);
  s.start(1);
  expect(s.pass(1)).toEqual(["cancel #1 on w1: timeout", "refuse r1: request_timeout"]);
});

test("[C4] the total time-out ends streams too, and a requeue extends neither", () => {
  const s = new Scenario({ totalTimeoutMs: 100_000, requestTimeoutMs: 90_000 });
  s.join("w1");
  s.join("w2");
  s.arrive("r1");
  s.arrive("r2");
  s.start(2);
  s.pass(80);
  expect(s.leave("w1")).toEqual(["requeue r1: worker-lost"]);
  expect(s.join("w3")).toEqual(["r1 -> w3 #3"]);
  expect(s.pass(10)).toEqual(["cancel #3 on w3: timeout", "refuse r1: request_timeout"]);
  s.acknowledge(3);
  expect(s.pass(10)).toEqual(["cancel #2 on w2: timeout", "refuse r2: total_timeout"]);
});

test("[C4] what is due is done before the event that finds it due", () => {
  const s = new Scenario({ queueTimeoutMs: 30_000 });
  s.arrive("r1");
  s.passUnnoticed(30);
  expect(s.join("w1")).toEqual(["refuse r1: no_workers"]);
});

test("[C5] a deadline that passes holds the slot until the cancel is accounted for, and 10 s at most", () => {
  const s = new Scenario({ requestTimeoutMs: 60_000, queueTimeoutMs: 0 });
  s.join("w1");
  s.arrive("r1");
  s.pass(60);
  s.arrive("r2");
  expect(s.scheduler.counts().inFlight).toBe(1);
  expect(s.pass(10)).toEqual(["close w1: cancel-unanswered"]);
  expect(s.join("w2")).toEqual(["r2 -> w2 #2"]);
});
