// Percentiles in bounded memory against exact ones.
import { expect, test } from "bun:test";
import { Distribution } from "../../src/load/distribution.ts";
import { Samples } from "../../src/load/samples.ts";
import { Random } from "../support/random.ts";

test("[J14] up to the bound percentiles are samples that were taken", () => {
  const distribution = new Distribution();
  for (let value = 100; value >= 1; value--) distribution.add(value);
  expect(distribution.summary()).toEqual({ count: 100, p50: 50, p90: 90, p99: 99, max: 100, mean: 50.5 });
  expect(new Distribution().summary()).toBeNull();
});

test("[J14] beyond the bound they are at most one percent too high, and count, mean and maximum stay exact", () => {
  const random = new Random(11);
  const distribution = new Distribution(1_000);
  const samples = new Samples();
  for (let index = 0; index < 50_000; index++) {
    // From microseconds to minutes.
    const value = Math.exp((random.next() / 2 ** 32) * 18 - 7);
    distribution.add(value);
    samples.add(value);
  }
  const [rough, exact] = [distribution.summary()!, samples.summary()];
  for (const percentile of ["p50", "p90", "p99"] as const) {
    expect(rough[percentile] / exact[percentile]).toBeWithin(1, 1.0101);
  }
  expect([rough.count, rough.max]).toEqual([exact.count, exact.max]);
  expect(rough.mean).toBeCloseTo(samples.values.reduce((sum, value) => sum + value, 0) / exact.count, 5);
});

test("[J14] nothing, next to nothing and the enormous have a place too", () => {
  const distribution = new Distribution(1);
  for (const value of [0, 0, 0, 0.0001, 1e15]) distribution.add(value);
  expect(distribution.summary()).toMatchObject({ count: 5, p50: 0, p99: 1e15, max: 1e15 });
});
