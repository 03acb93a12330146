// What a load came to: counts, and percentiles of everything that takes time. Its memory is bounded, however long the load is.
import { Distribution } from "./distribution.ts";
import type { Failure, Outcome } from "./exchange.ts";
import type { Recorder } from "./load.ts";

export interface ErrorCount {
  count: number;
  /** What the first of them said. Text of others. */
  readonly message: string | null;
}

/** More kinds of failure, or more workers, than anybody reads are counted together. */
const KINDS_MAX = 100;
const WORKERS_MAX = 1_000;
const OTHERS = "(others)";

export class Tally implements Recorder {
  ok = 0;
  failed = 0;
  /** Of all streams, also of those that failed later or were hung up on. */
  chunks = 0;
  tokens = 0;
  /** Answers that said how many tokens they are. */
  counted = 0;
  /** Of those that went well, in ms from the intended start. */
  readonly latency = new Distribution();
  /** The same to the first byte of the body, and to the first piece of a streamed answer. */
  readonly firstByte = new Distribution();
  readonly firstChunk = new Distribution();
  /** Between the chunks of a stream. */
  readonly gap = new Distribution();
  /** In the relay's queue, as it says. */
  readonly queue = new Distribution();
  /** From the intended start to the real one. */
  readonly startDelay = new Distribution();
  readonly errors = new Map<string, ErrorCount>();
  readonly workers = new Map<string, number>();

  onOutcome(outcome: Outcome, intendedMs: number): void {
    this.startDelay.add(Math.max(0, outcome.sentMs - intendedMs));
    if (outcome.queuedMs !== null) this.queue.add(outcome.queuedMs);
    if (outcome.worker !== null) this.#addWorker(outcome.worker);
    if (outcome.tokens !== null) this.#addTokens(outcome.tokens);
    if (outcome.failure !== null) return this.#addFailure(outcome.failure);
    this.ok++;
    this.latency.add(outcome.endedMs - intendedMs);
    if (outcome.firstByteMs !== null) this.firstByte.add(outcome.firstByteMs - intendedMs);
    if (outcome.firstChunkMs !== null) this.firstChunk.add(outcome.firstChunkMs - intendedMs);
  }

  onChunk(gapMs: number | null): void {
    this.chunks++;
    if (gapMs !== null) this.gap.add(gapMs);
  }

  #addTokens(tokens: number): void {
    this.tokens += tokens;
    this.counted++;
  }

  #addFailure({ kind, message }: Failure): void {
    this.failed++;
    const name = this.errors.has(kind) || this.errors.size < KINDS_MAX ? kind : OTHERS;
    const known = this.errors.get(name);
    if (known === undefined) this.errors.set(name, { count: 1, message });
    else known.count++;
  }

  #addWorker(worker: string): void {
    const name = this.workers.has(worker) || this.workers.size < WORKERS_MAX ? worker : OTHERS;
    this.workers.set(name, (this.workers.get(name) ?? 0) + 1);
  }
}
