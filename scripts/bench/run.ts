// Runs the cases one after the other, so that none disturbs another, each within its limit.
import { cancel } from "./cases/cancel.ts";
import type { Case, CaseWorld } from "./cases/case.ts";
import { chunks } from "./cases/chunks.ts";
import { crowd } from "./cases/crowd.ts";
import { fleet } from "./cases/fleet.ts";
import { latency } from "./cases/latency.ts";
import { pace } from "./cases/pace.ts";
import { redispatch } from "./cases/redispatch.ts";
import { requests } from "./cases/requests.ts";
import { scheduler } from "./cases/scheduler.ts";
import { start } from "./cases/start.ts";
import type { CaseResult } from "./report.ts";

export const CASES: readonly Case[] = [scheduler, latency, requests, chunks, pace, cancel, redispatch, fleet, crowd, start];

/** `onCase` is called before each, for whoever waits. @throws when a case cannot be measured */
export async function runCases(names: readonly string[] | null, world: CaseWorld, onCase: (name: string) => void): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  for (const { name, method, measure } of CASES) {
    if (names !== null && !names.includes(name)) continue;
    onCase(name);
    results.push({ name, method, figures: await measure(world) });
  }
  return results;
}
