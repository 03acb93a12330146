// Cleaning what a worker claims: models, slots and name, with a warning for each thing changed.
import { expect, test } from "bun:test";
import { cleanClaims, cleanModels } from "../../src/protocol/registration.ts";

test("[L3] models are trimmed, and what is empty, repeated, too long or too many goes, first seen stays", () => {
  expect(cleanModels(["b", " a ", "b ", "", "\t", "x".repeat(256), "x".repeat(257)])).toEqual({
    models: ["b", "a", "x".repeat(256)],
    warnings: ["dropped 2 empty model name(s)", "dropped 1 repeated model name(s)", "dropped 1 model name(s) longer than 256 characters"],
  });
  const many = Array.from({ length: 258 }, (_, index) => `m${index}`);
  expect(cleanModels(many)).toEqual({ models: many.slice(0, 256), warnings: ["kept the first 256 models and dropped 2"] });
  expect(cleanModels(["*", "a"])).toEqual({ models: ["*", "a"], warnings: [] });
});

test("[L3] a worker without a model is told that it gets nothing", () => {
  expect(cleanModels([]).warnings).toEqual(["no routable model is left: this worker gets no requests"]);
});

test("[L3] slots are at least one and at most 4096, and a name is never empty or long", () => {
  const claims = (name: string, slots: number) => cleanClaims({ name, models: ["m"], slots });
  expect(claims(" box ", 4)).toEqual({ name: "box", models: ["m"], slots: 4, warnings: [] });
  expect(claims("", 0)).toMatchObject({ name: "worker", slots: 1 });
  expect(claims("", 0).warnings).toHaveLength(2);
  expect(claims("n".repeat(129), 5_000)).toMatchObject({ name: "n".repeat(128), slots: 4_096 });
  expect(claims("n".repeat(128), 4_096).warnings).toEqual([]);
});
