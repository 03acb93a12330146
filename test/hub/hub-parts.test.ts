// The small parts of the hub: the memory of bodies, the catalogue, the seam to the scheduler.
import { expect, test } from "bun:test";
import { ByteBudget } from "../../src/hub/byte-budget.ts";
import { Catalogue } from "../../src/hub/catalogue.ts";
import { createLocalScheduler } from "../../src/hub/seam.ts";
import { DEFAULT_LIMITS, type Effect } from "../../src/scheduler/events.ts";
import { ManualClock } from "../support/manual-clock.ts";

test("[Q1] bodies are held up to the limit, grown and given back once", () => {
  const budget = new ByteBudget(100);
  const first = budget.reserve(60);
  expect(budget.reserve(41)).toBeNull();
  const second = budget.reserve(0);
  expect([second?.grow(40), second?.grow(1), budget.heldBytes]).toEqual([true, false, 100]);
  first?.release();
  first?.release();
  expect(budget.heldBytes).toBe(40);
  second?.release();
  expect(budget.heldBytes).toBe(0);
});

test("[H11] the catalogue is the union of what workers list, sorted; * and unlisted names never appear", () => {
  const catalogue = new Catalogue();
  expect(catalogue.models()).toEqual([]);
  catalogue.set("w1", { models: ["b", "default", "*"], unlisted: ["default"] });
  catalogue.set("w2", { models: ["a", "b"], unlisted: [] });
  expect(catalogue.models()).toEqual(["a", "b"]);
  catalogue.set("w2", { models: ["c"], unlisted: [] });
  expect(catalogue.models()).toEqual(["b", "c"]);
  catalogue.delete("w1");
  expect(catalogue.models()).toEqual(["c"]);
});

test("[H6] the only model is one that nobody could mean another by", () => {
  const catalogue = new Catalogue();
  expect(catalogue.onlyModel()).toBeNull();
  catalogue.set("w1", { models: ["a", "default"], unlisted: ["default"] });
  catalogue.set("w2", { models: ["a"], unlisted: [] });
  expect(catalogue.onlyModel()).toBe("a");
  catalogue.set("w3", { models: ["*"], unlisted: [] });
  expect(catalogue.onlyModel()).toBeNull();
  catalogue.set("w3", { models: ["b"], unlisted: [] });
  expect(catalogue.onlyModel()).toBeNull();
});

test("[H11] a model keeps the moment it was first seen, and their number is bounded", () => {
  const catalogue = new Catalogue();
  expect(catalogue.firstSeen("a", 5_900)).toBe(5);
  expect(catalogue.firstSeen("a", 9_000)).toBe(5);
  for (let n = 0; n < 20_001; n++) catalogue.firstSeen(`m${n}`, 10_000);
  expect(catalogue.firstSeen("a", 11_000)).toBe(11);
});

test("[S1] events posted while effects are performed take effect right after, in their order", () => {
  const clock = new ManualClock();
  const seam = createLocalScheduler(DEFAULT_LIMITS, clock);
  const seen: string[] = [];
  let isPerforming = false;
  seam.onEffects((effects: readonly Effect[]) => {
    expect(isPerforming).toBe(false);
    isPerforming = true;
    for (const effect of effects) {
      if (effect.type === "wake") continue;
      seen.push(effect.type);
      // Nothing could be sent: told at once, and taken up after this.
      if (effect.type === "dispatch") seam.post({ type: "attempt-rejected", attempt: effect.attempt, reason: "unsent" });
    }
    isPerforming = false;
  });
  seam.post({ type: "worker-joined", worker: "w", instance: null, models: ["m"], slots: 1, load: 0 });
  seam.post({ type: "request-arrived", request: "r", model: "m", key: "k", bytes: 1, isStreaming: false });
  expect(seen).toEqual(["dispatch", "requeued"]);
  expect(seam.position("r")).toBe(1);
  seam.stop();
});

test("[Q4] the seam wakes the scheduler for what is due, and has one timer at most", () => {
  const clock = new ManualClock();
  const seam = createLocalScheduler({ ...DEFAULT_LIMITS, queueTimeoutMs: 1_000 }, clock);
  const refused: string[] = [];
  seam.onEffects((effects) => {
    for (const effect of effects) if (effect.type === "refuse") refused.push(`${effect.request} ${effect.code}`);
  });
  for (const request of ["r1", "r2", "r3"]) {
    seam.post({ type: "request-arrived", request, model: "m", key: "k", bytes: 1, isStreaming: false });
    expect(clock.pending).toBe(1);
    clock.advance(400);
  }
  expect(refused).toEqual(["r1 no_workers"]);
  clock.advance(10_000);
  expect(refused).toEqual(["r1 no_workers", "r2 no_workers", "r3 no_workers"]);
  seam.stop();
  expect(clock.pending).toBe(0);
});
