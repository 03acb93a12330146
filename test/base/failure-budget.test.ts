// Counting wrong guesses per network, with time moved by hand.
import { expect, test } from "bun:test";
import { FailureBudget } from "../../src/base/failure-budget.ts";
import { ManualClock } from "../support/manual-clock.ts";

function spend(budget: FailureBudget, address: string): number {
  let tries = 0;
  while (!budget.isSpent(address) && tries < 1_000) {
    budget.onFailure(address);
    tries++;
  }
  return tries;
}

test("an address may fail twenty times, then once a second", () => {
  const clock = new ManualClock();
  const budget = new FailureBudget(clock);
  expect(spend(budget, "192.0.2.1")).toBe(20);
  expect(budget.isSpent("192.0.2.2")).toBe(false);
  clock.advance(999);
  expect(budget.isSpent("192.0.2.1")).toBe(true);
  clock.advance(1);
  expect(spend(budget, "192.0.2.1")).toBe(1);
});

test("all addresses of an IPv6 /64 are one, however they are written", () => {
  const budget = new FailureBudget(new ManualClock());
  expect(spend(budget, "2001:db8:0:1::1")).toBe(20);
  for (const same of ["2001:db8:0:1::2", "2001:0DB8:0000:0001:ffff::", "2001:db8::1:2:3:4:5"]) expect(budget.isSpent(same)).toBe(true);
  for (const other of ["2001:db8:0:2::1", "2001:db8::1", "::1"]) expect(budget.isSpent(other)).toBe(false);
});

test("only so many addresses are remembered, and the one that failed longest ago is forgotten first", () => {
  const budget = new FailureBudget(new ManualClock());
  spend(budget, "198.51.100.1");
  for (let host = 0; host < 9_999; host++) budget.onFailure(`10.0.${host >> 8}.${host & 255}`);
  expect(budget.isSpent("198.51.100.1")).toBe(true);
  budget.onFailure("203.0.113.1");
  expect(budget.isSpent("198.51.100.1")).toBe(false);
});
