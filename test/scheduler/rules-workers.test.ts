// How workers come, go, drain and talk out of turn: rules W1 to W5 of docs/behaviour.md.
import { expect, test } from "bun:test";
import { Scenario } from "./scenario.ts";

test("[W1] a worker that leaves: unanswered requests are requeued, started ones end with an error", () => {
  for (const how of ["clean", "lost"] as const) {
    const s = new Scenario();
    s.join("w1", { slots: 2 });
    s.arrive("r1");
    s.arrive("r2");
    s.start(1);
    expect(s.leave("w1", how)).toEqual(["refuse r1: worker_lost", "requeue r2: worker-lost"]);
    expect(s.leave("w1", how)).toEqual([]);
    expect(s.scheduler.counts()).toMatchObject({ queued: 1, inFlight: 0, workers: 0 });
  }
});

test("[W2] a newer connection of the same instance supersedes the older one", () => {
  const s = new Scenario();
  s.join("old", { instance: "box", slots: 2 });
  s.arrive("r1");
  s.arrive("r2");
  s.start(2);
  const words = s.join("new", { instance: "box" });
  expect(words).toEqual(["close old: superseded", "refuse r2: worker_lost", "requeue r1: worker-lost", "r1 -> new #3"]);
  expect(s.leave("old")).toEqual([]);
  expect(s.scheduler.counts()).toMatchObject({ inFlight: 1, workers: 1 });
});

test("[W2] connections without an instance never supersede each other", () => {
  const s = new Scenario();
  s.join("w1");
  expect(s.join("w2")).toEqual([]);
  expect(s.scheduler.counts().workers).toBe(2);
});

test("[W3] a draining worker finishes what it has, is reported drained once idle, and may resume", () => {
  const s = new Scenario();
  s.join("w1", { slots: 3 });
  s.arrive("r1");
  s.arrive("r2");
  expect(s.drain("w1")).toEqual([]);
  expect(s.arrive("r3")).toEqual([]);
  s.start(1);
  expect(s.end(1)).toEqual(["end r1"]);
  s.hangUp("r2");
  expect(s.acknowledge(2)).toEqual(["drained w1"]);
  expect(s.drain("w1")).toEqual([]);
  expect(s.resume("w1")).toEqual(["r3 -> w1 #3"]);
});

test("[W3] an idle worker is drained at once", () => {
  const s = new Scenario();
  s.join("w1");
  expect(s.drain("w1")).toEqual(["drained w1"]);
});

test("[W4] while the relay drains new requests are refused and waiting ones are served", () => {
  const s = new Scenario();
  s.join("w1");
  s.arrive("r1");
  s.arrive("r2");
  s.drainRelay();
  expect(s.arrive("r3")).toEqual(["refuse r3: draining"]);
  expect(s.end(1)).toContain("r2 -> w1 #2");
  expect(s.arrive("r4")).toEqual(["refuse r4: draining"]);
  expect(s.leave("w1")).toEqual(["requeue r2: worker-lost"]);
});

test("[W5] late, foreign and double replies change nothing", () => {
  const s = new Scenario();
  s.join("w1");
  s.arrive("r1");
  s.start(1);
  const unknown = 77;
  expect(s.start(1)).toEqual([]);
  expect(s.start(unknown)).toEqual([]);
  expect(s.end(unknown)).toEqual([]);
  expect(s.end(unknown, "connection-refused")).toEqual([]);
  expect(s.reject(unknown, "full")).toEqual([]);
  // Only a cancelled attempt can be acknowledged.
  expect(s.acknowledge(1)).toEqual([]);
  expect(s.end(1)).toEqual(["end r1"]);
  expect(s.end(1, "dropped")).toEqual([]);
  expect(s.reject(1, "draining")).toEqual([]);
  expect(s.arrive("r2")).toEqual(["r2 -> w1 #2"]);
  // The first attempt of the request says something after the second has begun.
  s.leave("w1");
  s.join("w2");
  expect(s.start(2)).toEqual([]);
  expect(s.leave("w2")).toEqual(["requeue r2: worker-lost"]);
});
