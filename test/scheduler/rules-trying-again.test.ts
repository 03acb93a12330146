// What becomes of a request whose worker or backend fails it: rules R1 to R7 of docs/behaviour.md.
import { expect, test } from "bun:test";
import { Scenario } from "./scenario.ts";

test("[R1] a request that goes back keeps its place before those that came later", () => {
  const s = new Scenario();
  s.join("w1");
  s.arrive("r1");
  s.arrive("r2");
  expect(s.leave("w1")).toEqual(["requeue r1: worker-lost"]);
  expect(s.scheduler.position("r1")).toBe(1);
  expect(s.join("w2")).toEqual(["r1 -> w2 #2"]);
});

test("[R2] a lost worker's requests are tried again three times, then refused", () => {
  const s = new Scenario();
  s.arrive("r1");
  for (const attempt of [1, 2, 3]) {
    expect(s.join(`w${attempt}`)).toEqual([`r1 -> w${attempt} #${attempt}`]);
    expect(s.leave(`w${attempt}`)).toEqual(["requeue r1: worker-lost"]);
  }
  s.join("w4");
  expect(s.leave("w4")).toEqual(["refuse r1: requeue_exhausted"]);
});

test("[R3] a rejected request is tried again without being counted", () => {
  const s = new Scenario({ maxRequeues: 0 });
  s.join("w1");
  s.arrive("r1");
  for (let attempt = 1; attempt < 9; attempt++) {
    expect(s.reject(attempt, "full")).toEqual(["requeue r1: rejected"]);
    expect(s.report("w1", 0)).toEqual([`r1 -> w1 #${attempt + 1}`]);
  }
});

test("[R3] a worker that was full, or did not take a request, gets nothing until it reports its load", () => {
  for (const reason of ["full", "unsent"] as const) {
    const s = new Scenario();
    s.join("w1", { slots: 3 });
    s.arrive("r1");
    s.reject(1, reason);
    expect(s.arrive("r2")).toEqual([]);
    expect(s.resume("w1")).toEqual([]);
    expect(s.report("w1", 0)).toEqual(["r1 -> w1 #2", "r2 -> w1 #3"]);
  }
});

test("[R3] a worker that rejects because it drains gets nothing until it resumes", () => {
  const s = new Scenario();
  s.join("w1");
  s.arrive("r1");
  expect(s.reject(1, "draining")).toEqual(["drained w1", "requeue r1: rejected"]);
  expect(s.report("w1", 0)).toEqual([]);
  expect(s.resume("w1")).toEqual(["r1 -> w1 #2"]);
});

test("[R4] a backend that refuses connections: another worker is tried, and this one cools down", () => {
  const s = new Scenario();
  s.join("w1");
  s.join("w2");
  s.arrive("r1");
  expect(s.end(1, "connection-refused")).toEqual(["requeue r1: connection-refused", "r1 -> w2 #2"]);
  expect(s.arrive("r2")).toEqual([]);
  expect(s.wakeAtSecs).toBe(1);
  expect(s.pass(1)).toEqual(["r2 -> w1 #3"]);
});

test("[R4] the cool-down doubles from 1 s to 30 s, and an answer resets it", () => {
  const s = new Scenario();
  s.join("w1");
  let attempt = 0;
  const coolDownSecs = (): number => {
    s.arrive(`r${++attempt}`);
    s.end(attempt, "connection-refused");
    for (let secs = 1; ; secs++) {
      s.arrive("probe");
      const served = s.pass(1).length > 0;
      if (served) s.end(++attempt, "failed");
      else s.hangUp("probe");
      if (served) return secs;
    }
  };
  expect([1, 2, 3, 4, 5, 6, 7].map(coolDownSecs)).toEqual([1, 2, 4, 8, 16, 30, 30]);
  s.arrive("good");
  s.start(++attempt);
  s.end(attempt);
  expect(coolDownSecs()).toBe(1);
});

test("[R4] refusals of requests that were on their way when the cool-down began do not extend it", () => {
  const s = new Scenario();
  s.join("w1", { slots: 3 });
  for (const at of [1, 2, 3]) s.arrive(`r${at}`);
  for (const attempt of [1, 2, 3]) s.end(attempt, "connection-refused");
  s.arrive("r4");
  expect(s.pass(1)).toEqual(["r4 -> w1 #4"]);
});

test("[R4] refused by every worker that offers the model: backend_error, and no waiting", () => {
  const s = new Scenario();
  s.join("w1");
  s.join("w2");
  s.join("w3", { models: ["phi"] });
  s.arrive("r1");
  s.end(1, "connection-refused");
  expect(s.end(2, "connection-refused")).toEqual(["refuse r1: backend_error"]);
});

test("[R4] refusals are counted with the other requeues", () => {
  const s = new Scenario({ maxRequeues: 1 });
  for (const worker of ["w1", "w2", "w3"]) s.join(worker);
  s.arrive("r1");
  s.end(1, "connection-refused");
  expect(s.end(2, "connection-refused")).toEqual(["refuse r1: requeue_exhausted"]);
});

test("[R5] a backend that died of a request gets it no second time, and only one other does", () => {
  const s = new Scenario({ maxRequeues: 0 });
  for (const worker of ["w1", "w2", "w3"]) s.join(worker);
  s.arrive("r1");
  expect(s.end(1, "dropped")).toEqual(["requeue r1: dropped", "r1 -> w2 #2"]);
  expect(s.end(2, "dropped")).toEqual(["refuse r1: backend_error"]);
});

test("[R5] dropped where nobody else offers the model: backend_error at once", () => {
  const s = new Scenario();
  s.join("w1");
  s.arrive("r1");
  expect(s.end(1, "dropped")).toEqual(["refuse r1: backend_error"]);
});

test("[R6] a request waits rather than go back to a worker whose backend refused or dropped it", () => {
  const s = new Scenario();
  s.join("w1");
  s.join("w2");
  s.arrive("r1");
  s.arrive("r2");
  expect(s.end(1, "dropped")).toEqual(["requeue r1: dropped"]);
  expect(s.arrive("r3")).toEqual(["r3 -> w1 #3"]);
  expect(s.end(2)).toContain("r1 -> w2 #4");
});

test("[R7] after the first byte nothing is tried again", () => {
  const s = new Scenario();
  s.join("w1", { slots: 4 });
  s.join("spare", { slots: 9, load: 5 });
  for (const at of [1, 2, 3]) s.arrive(`r${at}`);
  for (const attempt of [1, 2, 3]) s.start(attempt);
  expect(s.end(1, "dropped")).toEqual(["refuse r1: backend_error"]);
  expect(s.end(2, "failed")).toEqual(["refuse r2: backend_error"]);
  expect(s.leave("w1")).toEqual(["refuse r3: worker_lost"]);
});

test("[R7] an answer that is unusable from its first byte is not tried again either", () => {
  const s = new Scenario();
  s.join("w1");
  s.join("w2");
  s.arrive("r1");
  expect(s.end(1, "failed")).toEqual(["refuse r1: backend_error"]);
});
