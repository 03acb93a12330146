// The report of a load test as it is printed with --json: every field has its unit in its name.
import * as v from "valibot";
import { printable } from "../../base/printable.ts";
import type { Distribution } from "../../load/distribution.ts";
import type { LoadEnd, LoadPlan } from "../../load/load.ts";
import type { Tally } from "../../load/tally.ts";
import type { BenchTarget } from "./target.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const amount = v.pipe(v.number(), v.minValue(0));

const Percentiles = v.nullable(v.strictObject({ count, mean: amount, p50: amount, p90: amount, p99: amount, max: amount }));

export const BenchReport = v.strictObject({
  url: v.string(),
  api: v.string(),
  model: v.nullable(v.string()),
  stream: v.boolean(),
  concurrency: count,
  rate_per_sec: v.nullable(amount),
  arrivals: v.nullable(v.picklist(["poisson", "constant"])),
  interrupted: v.boolean(),
  elapsed_secs: amount,
  requests: v.strictObject({ started: count, ok: count, failed: count, hung_up: count, not_started: count, warm_up: count }),
  requests_per_sec: amount,
  chunks: v.nullable(count),
  chunks_per_sec: v.nullable(amount),
  tokens: v.nullable(count),
  tokens_per_sec: v.nullable(amount),
  latency_ms: Percentiles,
  first_byte_ms: Percentiles,
  first_chunk_ms: Percentiles,
  gap_ms: Percentiles,
  queue_ms: Percentiles,
  start_delay_ms: Percentiles,
  errors: v.array(v.strictObject({ kind: v.string(), count, message: v.nullable(v.string()) })),
  workers: v.array(v.strictObject({ name: v.string(), count, share: amount })),
});

export type BenchReport = v.InferOutput<typeof BenchReport>;

interface Measured {
  readonly target: BenchTarget;
  readonly api: string;
  readonly plan: LoadPlan;
  readonly tally: Tally;
  readonly end: LoadEnd;
  readonly isInterrupted: boolean;
}

export function reportOf({ target, api, plan, tally, end, isInterrupted }: Measured): BenchReport {
  const perSecond = (number: number): number => (end.elapsedMs > 0 ? round((number * 1000) / end.elapsedMs) : 0);
  const hide = (text: string): string => printable(target.apiKey === null ? text : text.replaceAll(target.apiKey, "(secret)"));
  const answered = [...tally.workers.values()].reduce((sum, number) => sum + number, 0);
  return {
    url: target.url.href,
    api,
    model: target.model,
    stream: target.isStreaming,
    concurrency: plan.concurrency,
    rate_per_sec: plan.arrivals?.perSecond ?? null,
    arrivals: plan.arrivals?.spacing ?? null,
    interrupted: isInterrupted,
    elapsed_secs: round(end.elapsedMs / 1000),
    requests: {
      started: end.started,
      ok: tally.ok,
      failed: tally.failed,
      hung_up: end.hungUp,
      not_started: end.notStarted,
      warm_up: end.warmedUp,
    },
    requests_per_sec: perSecond(tally.ok),
    chunks: target.isStreaming ? tally.chunks : null,
    chunks_per_sec: target.isStreaming ? perSecond(tally.chunks) : null,
    tokens: tally.counted === 0 ? null : Math.round(tally.tokens),
    tokens_per_sec: tally.counted === 0 ? null : perSecond(tally.tokens),
    latency_ms: percentilesOf(tally.latency),
    first_byte_ms: percentilesOf(tally.firstByte),
    first_chunk_ms: percentilesOf(tally.firstChunk),
    gap_ms: percentilesOf(tally.gap),
    queue_ms: percentilesOf(tally.queue),
    start_delay_ms: plan.arrivals === null ? null : percentilesOf(tally.startDelay),
    errors: byCount(
      [...tally.errors].map(([kind, { count, message }]) => ({ kind, count, message: message === null ? null : hide(message) })),
    ),
    workers: byCount([...tally.workers].map(([name, count]) => ({ name: workerName(name), count, share: round(count / answered) }))),
  };
}

function byCount<Entry extends { readonly count: number }>(entries: readonly Entry[]): Entry[] {
  return entries.toSorted((a, b) => b.count - a.count);
}

/** The relay writes names as URLs have them. */
function workerName(header: string): string {
  try {
    return printable(decodeURIComponent(header));
  } catch {
    return printable(header);
  }
}

function percentilesOf(distribution: Distribution): v.InferOutput<typeof Percentiles> {
  const summary = distribution.summary();
  if (summary === null) return null;
  const { count, mean, p50, p90, p99, max } = summary;
  return { count, mean: round(mean), p50: round(p50), p90: round(p90), p99: round(p99), max: round(max) };
}

/** To a thousandth. */
function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
