// Speaks the tokens of an answer at the pace of a model, and falls silent when nobody listens any more.
import { type Clock } from "../base/clock.ts";

interface AnnouncerOptions {
  readonly clock: Clock;
  /** 0 = no pauses. */
  readonly tokensPerSecond: number;
  readonly firstTokenDelayMs: number;
  /** Ends every answer. */
  readonly stopping: AbortSignal;
}

export class Announcer {
  readonly #options: AnnouncerOptions;
  #speaking = 0;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  /** Answers being spoken now. */
  get speaking(): number {
    return this.#speaking;
  }

  /** Nobody is to be spoken to any more: the listener has gone, or the backend stops. */
  isSilenced(listener: AbortSignal): boolean {
    return listener.aborted || this.#options.stopping.aborted;
  }

  unixSecs(): number {
    return Math.floor(this.#options.clock.unixMs() / 1000);
  }

  /** Each token when it is due. @throws the signal's reason as soon as the listener has gone or the backend stops */
  async *speak(tokens: readonly string[], listener: AbortSignal): AsyncGenerator<string, void> {
    const { clock, firstTokenDelayMs, tokensPerSecond, stopping } = this.#options;
    const signal = AbortSignal.any([listener, stopping]);
    const tokenMs = tokensPerSecond === 0 ? 0 : 1000 / tokensPerSecond;
    const firstAt = clock.nowMs() + firstTokenDelayMs;
    this.#speaking += 1;
    try {
      for (const [index, token] of tokens.entries()) {
        await pause(clock, firstAt + index * tokenMs - clock.nowMs(), signal);
        yield token;
      }
    } finally {
      this.#speaking -= 1;
    }
  }
}

/** @throws the signal's reason, at once when it fires */
async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (ms <= 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.startTimer(ms, resolve);
  const onAbort = (): void => resolve();
  signal.addEventListener("abort", onAbort);
  await promise;
  signal.removeEventListener("abort", onAbort);
  timer.stop();
  signal.throwIfAborted();
}
