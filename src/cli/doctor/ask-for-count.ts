// A small streamed answer to look at: long enough to see whether it comes piece by piece, short enough to cost nothing.
import type { Clock } from "../../base/clock.ts";
import { tryOut, type TryOutResult } from "../model-server/try-out.ts";

export interface AskedForCount {
  readonly baseUrl: string;
  readonly model: string;
  readonly apiKey: string | null;
  readonly reach: Pick<BunFetchRequestInit, "proxy" | "tls">;
  readonly limitMs: number;
}

export type AnsweredTry = Extract<TryOutResult, { kind: "answered" }>;

const PROMPT = "Count from 1 to 20, in digits, and say nothing else.";
const MAX_TOKENS = 64;

/** "stopped" as the reason of a failure: time ran out. */
export async function askForCount({ limitMs, ...asked }: AskedForCount, clock: Clock): Promise<TryOutResult> {
  const signal = AbortSignal.timeout(limitMs);
  return await tryOut({ ...asked, prompt: PROMPT, maxTokens: MAX_TOKENS, signal }, { clock, print: () => {} });
}

/**
 * Whether the pieces came together at the end, as they do behind something that holds them back. Beside an answer that came
 * directly (null: there is none) that is plain; alone it is a guess, made only where much text came after much silence.
 */
export function cameAtOnce(tried: AnsweredTry, direct: AnsweredTry | null): boolean {
  if (tried.pieces < PIECES_MIN) return false;
  if (direct !== null && direct.pieces >= PIECES_MIN && speakingMs(direct) >= DIRECT_SPEAKING_MIN_MS) {
    return speakingMs(tried) < speakingMs(direct) / 5;
  }
  return tried.firstTokenMs > SILENCE_MIN_MS && speakingMs(tried) < AT_ONCE_MS;
}

const PIECES_MIN = 8;
const DIRECT_SPEAKING_MIN_MS = 200;
const SILENCE_MIN_MS = 1_000;
const AT_ONCE_MS = 20;

function speakingMs({ firstTokenMs, totalMs }: AnsweredTry): number {
  return totalMs - firstTokenMs;
}
