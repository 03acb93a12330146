// The ground everything stands on: nearest names, secrets, the clock.
import { expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import { nearestNames } from "../../src/base/nearest.ts";
import { createSecretMatcher } from "../../src/base/secret.ts";

test("[Q5] the nearest names: a few edits away or containing, best first, at most three", () => {
  const known = ["llama3.1:8b", "llama3.1:70b", "qwen3", "mistral", "Mixtral"];
  expect(nearestNames("lama3.1:8b", known)[0]).toBe("llama3.1:8b");
  expect(nearestNames("QWEN3", known)).toEqual(["qwen3"]);
  expect(nearestNames("qwne3", known)).toEqual(["qwen3"]);
  expect(nearestNames("llama", known)).toEqual(["llama3.1:70b", "llama3.1:8b"]);
  expect(nearestNames("mistral-large", known)).toContain("mistral");
  expect(nearestNames("gpt-9", known)).toEqual([]);
  expect(nearestNames("", known)).toEqual([]);
  expect(nearestNames("aaaa", ["aaab", "aaac", "aaad", "aaae"])).toEqual(["aaab", "aaac", "aaad"]);
});

test("[Q5] of very many names only the first two thousand are looked at", () => {
  let looked = 0;
  function* names() {
    for (; looked < 10_000; looked++) yield `${"m".repeat(200)}${looked}`;
  }
  expect(nearestNames("m".repeat(256), names())).toHaveLength(3);
  expect(looked).toBe(2_000);
});

test("[L1] a secret is exactly one of those given", () => {
  const isSecret = createSecretMatcher(["one", "zwei ü"]);
  expect(["one", "zwei ü"].map(isSecret)).toEqual([true, true]);
  expect(["", "on", "one ", "One", "onezwei ü", "three", "x".repeat(100_000)].map(isSecret)).toEqual([
    false,
    false,
    false,
    false,
    false,
    false,
    false,
  ]);
  expect(createSecretMatcher([])("")).toBe(false);
});

test("[C4] a delay that does not fit into 31 bits does not fire at once", async () => {
  let fired = false;
  const timer = systemClock.startTimer(2 ** 40, () => (fired = true));
  await new Promise<void>((resolve) => void systemClock.startTimer(5, resolve));
  timer.stop();
  timer.stop();
  expect(fired).toBe(false);
});
