// Does the backend stop when its client hangs up? Only then is a cancelled request's slot soon free again.
import * as v from "valibot";
import { readBodyJson } from "../../base/bounded-body.ts";
import type { Clock } from "../../base/clock.ts";
import { backendUrl } from "../../worker/backend-address.ts";
import { tryOut } from "../model-server/try-out.ts";
import { type AskedForCount, askForCount } from "./ask-for-count.ts";
import { failed, ok, type Outcome, skipped, warning } from "./finding.ts";

interface HungUpOn extends AskedForCount {
  readonly url: URL;
  /** What the first token needed before. */
  readonly usualMs: number;
}

const PROMPT = "Write a very long story, of at least three thousand words.";
const STORY_MAX_TOKENS = 4_096;
const BEGIN_LIMIT_MS = 8_000;
const FREE_LIMIT_MS = 10_000;
const SLOTS_LIMIT_MS = 1_000;
const LOOK_EVERY_MS = 50;
/** A second request may wait this much longer than the first without anything being wrong. */
const TOLERANCE_MS = 1_500;

/**
 * Begins a long answer, hangs up at its first token, and looks:
 * 1. the answer was over too soon  2. the server says in /slots what it works on  3. it does not: a second request tells
 */
export async function examineHangUp(asked: HungUpOn, clock: Clock): Promise<Outcome> {
  const before = await busySlots(asked);
  const hangUp = new AbortController();
  const signal = AbortSignal.any([hangUp.signal, AbortSignal.timeout(BEGIN_LIMIT_MS)]);
  const { baseUrl, model, apiKey, reach } = asked;
  const story = { baseUrl, model, apiKey, reach, prompt: PROMPT, maxTokens: STORY_MAX_TOKENS, signal };
  const tried = await tryOut(story, { clock, print: () => hangUp.abort() });
  if (tried.kind === "answered") return skipped("the answer was over before one could hang up"); // (1)
  if (!hangUp.signal.aborted) return skipped("no second answer began to hang up on");
  return before === null ? await askAgain(asked, clock) : await watchSlots(asked, before, clock); // (2) (3)
}

async function watchSlots(asked: HungUpOn, before: number, clock: Clock): Promise<Outcome> {
  const startMs = clock.nowMs();
  while (clock.nowMs() - startMs < FREE_LIMIT_MS) {
    const busy = await busySlots(asked);
    const passedMs = Math.round(clock.nowMs() - startMs);
    if (busy !== null && busy <= before) return ok(`the slot was free again within ${passedMs} ms, says the server's /slots`);
    await new Promise<void>((resolve) => clock.startTimer(LOOK_EVERY_MS, resolve));
  }
  return failed(
    `the server still works on an answer nobody reads, ${FREE_LIMIT_MS / 1000} s after the hang-up, says its /slots`,
    GOES_ON_FIX,
  );
}

async function askAgain(asked: HungUpOn, clock: Clock): Promise<Outcome> {
  const tried = await askForCount({ ...asked, limitMs: FREE_LIMIT_MS }, clock);
  if (tried.kind === "failed") {
    const what =
      tried.reason === "stopped"
        ? `a second request was not answered within ${FREE_LIMIT_MS / 1000} s`
        : `a second request failed: ${tried.reason}`;
    return failed(`after the hang-up ${what}`, GOES_ON_FIX);
  }
  const ms = Math.round(tried.firstTokenMs);
  if (ms > asked.usualMs * 2 + TOLERANCE_MS)
    return warning(`after the hang-up a second request waited ${ms} ms, the first ${Math.round(asked.usualMs)} ms`, GOES_ON_FIX);
  return ok(`a second request was answered after ${ms} ms; of a server with several slots that proves little`);
}

const GOES_ON_FIX =
  "the backend seems to finish answers that nobody reads: use a version that stops when its client hangs up; the relay cannot free its slots sooner";

const Slots = v.array(v.object({ is_processing: v.boolean() }));

/** How many slots of a llama-server work; null where nobody tells. */
async function busySlots({ url, apiKey, reach }: HungUpOn): Promise<number | null> {
  try {
    const headers: Record<string, string> = apiKey === null ? {} : { authorization: `Bearer ${apiKey}` };
    const init = { headers, redirect: "manual", signal: AbortSignal.timeout(SLOTS_LIMIT_MS), ...reach } as const;
    const response = await fetch(backendUrl(url, "/slots"), init);
    const slots = v.safeParse(Slots, await readBodyJson(response));
    return response.status === 200 && slots.success ? slots.output.filter((slot) => slot.is_processing).length : null;
  } catch {
    return null;
  }
}
