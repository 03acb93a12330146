// How many requests a minute holds, whatever their pattern, and whether the time a key is told to wait is enough.
import { expect, test } from "bun:test";
import { RateLimit } from "../../src/edge/rate-limit.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { freshSeed, Random } from "../support/random.ts";

test("[U6] who waits as long as it was told is served, however small the limit", () => {
  for (const perMinute of [1, 2, 7, 60, 1_000]) {
    const clock = new ManualClock();
    const rates = new RateLimit(clock);
    for (let taken = 0; taken < perMinute; taken++) expect(rates.take("k", perMinute)).toBe(0);
    for (let round = 0; round < 5; round++) {
      const waitSecs = rates.take("k", perMinute);
      expect(waitSecs).toBeGreaterThan(0);
      expect(waitSecs).toBeLessThanOrEqual(61);
      clock.advance(waitSecs * 1_000);
      expect([perMinute, round, rates.take("k", perMinute)]).toEqual([perMinute, round, 0]);
      while (rates.take("k", perMinute) === 0) clock.advance(1);
    }
  }
});

test("[U6] no minute holds more than the limit, and a steady client gets nearly all of it", () => {
  const random = new Random(freshSeed("requests per minute"));
  for (let run = 0; run < 50; run++) {
    const clock = new ManualClock();
    const rates = new RateLimit(clock);
    const perMinute = 1 + random.below(40);
    const served: number[] = [];
    for (let step = 0; step < 400; step++) {
      clock.advance(random.below(random.oneIn(20) ? 70_000 : 1_500));
      if (rates.take("k", perMinute) === 0) served.push(clock.nowMs());
    }
    for (const [index, at] of served.entries()) {
      const later = served[index + perMinute];
      if (later !== undefined) expect(later - at).toBeGreaterThanOrEqual(60_000);
    }
  }
  const clock = new ManualClock();
  const rates = new RateLimit(clock);
  let served = 0;
  for (let second = 0; second < 610; second++, clock.advance(1_000)) if (rates.take("k", 30) === 0) served++;
  expect(served).toBeGreaterThanOrEqual(290);
});

test("[U6] each key has its own minute, and the memory of keys is bounded", () => {
  const clock = new ManualClock();
  const rates = new RateLimit(clock);
  expect(rates.take("first", 1)).toBe(0);
  expect(rates.take("second", 1)).toBe(0);
  expect(rates.take("first", 1)).toBeGreaterThan(0);
  for (let key = 0; key < 10_000; key++) rates.take(`k${key}`, 1);
  // The longest unused is forgotten first; a key that asks again and again is never let off.
  expect(rates.take("k9999", 1)).toBeGreaterThan(0);
  expect(rates.take("k5", 1)).toBeGreaterThan(0);
});
