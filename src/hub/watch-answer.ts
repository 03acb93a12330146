// Watches an answer under way: the backend that falls silent between chunks, and the client that stops reading.
import type { Clock, Timer } from "../base/clock.ts";
import type { RefusalCode } from "../base/errors.ts";
import type { AnswerBody } from "./answer-body.ts";

export interface WatchLimits {
  /** Silence of the backend in the middle of a stream; 0: no limit. */
  readonly chunkTimeoutMs: number;
}

/** A client that takes nothing for this long, while there is something to take, is cut off. */
export const CLIENT_STALL_MS = 120_000;

/**
 * One timer per answer, set to the earliest moment either limit could pass and moved on when it fires too early:
 * bytes that flow cost nothing here. While bytes wait for the client, the backend's clock stands still.
 */
export function watchAnswer(
  body: AnswerBody,
  isStreaming: boolean,
  limits: WatchLimits,
  clock: Clock,
  onOverdue: (code: RefusalCode) => void,
): Timer {
  const chunkLimitMs = isStreaming && limits.chunkTimeoutMs > 0 ? limits.chunkTimeoutMs : Infinity;
  let timer: Timer = clock.startTimer(Math.min(CLIENT_STALL_MS, chunkLimitMs), check);
  return { stop: () => timer.stop() };

  function check(): void {
    const isClientsTurn = body.bufferedBytes > 0;
    const quietMs = clock.nowMs() - body.lastMovedMs;
    const limitMs = isClientsTurn ? CLIENT_STALL_MS : chunkLimitMs;
    if (quietMs >= limitMs) return onOverdue(isClientsTurn ? "client_stalled" : "chunk_timeout");
    // The turn may change meanwhile, and the other side's limit then begins anew.
    const othersLimitMs = isClientsTurn ? chunkLimitMs : CLIENT_STALL_MS;
    timer = clock.startTimer(Math.min(limitMs - quietMs, othersLimitMs), check);
  }
}
