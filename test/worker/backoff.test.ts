// How long a worker waits before it tries again, as pure functions.
import { describe, expect, test } from "bun:test";
import {
  awayDelayMs,
  refusedDelayMs,
  RETRY_FIRST_MS,
  RETRY_LEAST_MS,
  RETRY_MAX_MS,
  RETRY_REFUSED_MS,
  retryDelayMs,
} from "../../src/worker/backoff.ts";

const ALMOST_ONE = 1 - Number.EPSILON;

describe("[D17] the wait before the next try", () => {
  test("is anywhere up to 1 s, 2 s, 4 s ... 30 s", () => {
    const longest = [1, 2, 3, 4, 5, 6, 7, 100, 1e9].map((failures) => retryDelayMs(failures, ALMOST_ONE));
    expect(longest).toEqual([999, 1_999, 3_999, 7_999, 15_999, 29_999, 29_999, 29_999, 29_999]);
    expect(retryDelayMs(3, 0.5)).toBe(2_000);
    expect(retryDelayMs(1, 0.25)).toBe(RETRY_FIRST_MS / 4);
  });

  test("is never nothing and never over its maximum, whatever the dice say", () => {
    for (let failures = 0; failures <= 40; failures++) {
      for (const random of [0, 0.001, 0.5, ALMOST_ONE]) {
        expect(retryDelayMs(failures, random)).toBeGreaterThanOrEqual(RETRY_LEAST_MS);
        expect(retryDelayMs(failures, random)).toBeLessThanOrEqual(RETRY_MAX_MS);
      }
    }
  });
});

test("[D16] after a refusal the wait is 30 s and up to a tenth more", () => {
  expect(refusedDelayMs(0)).toBe(RETRY_REFUSED_MS);
  expect(refusedDelayMs(ALMOST_ONE)).toBe(RETRY_REFUSED_MS * 1.1 - 1);
});

test("[D20] a relay that restarts is left alone for as long as it asked, and at most twice that", () => {
  expect(awayDelayMs(5, 0)).toBe(5_000);
  expect(awayDelayMs(5, ALMOST_ONE)).toBe(9_999);
  expect(awayDelayMs(null, 0)).toBe(1_000);
  expect(awayDelayMs(-1, 0)).toBe(1_000);
  expect(awayDelayMs(1e12, 0)).toBe(300_000);
  expect(awayDelayMs(0, 0)).toBe(RETRY_LEAST_MS);
});
