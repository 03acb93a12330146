// `modelrelay bench`: a load test of any OpenAI-compatible endpoint.
import { showDuration } from "../../base/quantity.ts";
import { type LoadPlan, type RunningLoad, startLoad } from "../../load/load.ts";
import { APIS } from "../../load/apis.ts";
import { HttpClient } from "../../load/http-client.ts";
import { Tally } from "../../load/tally.ts";
import type { CommandBody, CommandWorld } from "../command.ts";
import type { OptionValues } from "../options/option.ts";
import { parseOptions } from "../options/parse.ts";
import { processTerminal, type RunningProgress, startProgress } from "../progress.ts";
import { listenForStopSignals } from "../stop-signals.ts";
import { BENCH_OPTIONS, CONCURRENCY_FALLBACK, CONCURRENCY_FALLBACK_AT_RATE, REQUESTS_FALLBACK } from "./options.ts";
import { reportOf } from "./report.ts";
import { renderReport } from "./table.ts";
import { type BenchTarget, findTarget } from "./target.ts";

export const bench: CommandBody = {
  options: BENCH_OPTIONS,
  async run(args, world) {
    const parsed = parseOptions("bench", BENCH_OPTIONS, args, world.env);
    const signals = listenForStopSignals();
    try {
      const target = await Promise.race([findTarget(parsed, world), signals.first]);
      if (typeof target === "number") return target;
      return await measure(parsed.values, target, world, signals.first);
    } finally {
      signals.stop();
    }
  },
};

/** `stopped` resolves to the exit code for it. */
async function measure(values: BenchValues, target: BenchTarget, world: CommandWorld, stopped: Promise<number>): Promise<number> {
  const { clock } = world;
  const tally = new Tally();
  const plan = planOf(values);
  const load = startLoad(plan, {
    clock,
    random: Math.random,
    openCarrier: () => new HttpClient(target.endpoint, () => clock.nowMs()),
    asked: (index) => target.requests[index % target.requests.length]!,
    recorder: tally,
  });
  const progress = showProgress(plan, load, tally, world);
  let stopCode: number | null = null;
  const stopEarly = async (): Promise<void> => {
    stopCode = await stopped;
    load.stop();
  };
  void stopEarly();
  const end = await load.finished;
  progress.stop();
  const report = reportOf({ target, api: values.api, plan, tally, end, isInterrupted: stopCode !== null });
  world.print(values.json ? `${JSON.stringify(report, null, 2)}\n` : `${renderReport(report)}\n`);
  return stopCode ?? (report.requests.failed > 0 ? EXIT_FAILURES : 0);
}

const EXIT_FAILURES = 1;

type BenchValues = OptionValues<typeof BENCH_OPTIONS>;

function planOf(values: BenchValues): LoadPlan {
  const { durationMs, rate, arrivals } = values;
  return {
    api: APIS[values.api],
    concurrency: values.concurrency ?? (rate === null ? CONCURRENCY_FALLBACK : CONCURRENCY_FALLBACK_AT_RATE),
    requests: values.requests ?? (durationMs === null ? REQUESTS_FALLBACK : null),
    durationMs,
    warmUp: values.warmUp,
    arrivals: rate === null ? null : { perSecond: rate, spacing: arrivals },
    timeoutMs: values.timeoutMs,
  };
}

/** Of a load that ends with the time, the seconds are what goes by; the requests stand behind them. */
function showProgress(plan: LoadPlan, load: RunningLoad, tally: Tally, { clock, tell }: CommandWorld): RunningProgress {
  const failed = (): string => (tally.failed > 0 ? `${tally.failed} failed` : "");
  const terminal = processTerminal(tell);
  if (plan.requests !== null) {
    const state = () => ({ done: load.done(), total: plan.requests, note: load.startedMs() === null ? "warming up" : failed() });
    const showRate = (perSecond: number): string => `${perSecond.toFixed(perSecond < 10 ? 1 : 0)}/s`;
    return startProgress({ label: "bench", state, show: String, showRate }, terminal, clock);
  }
  const total = (plan.durationMs ?? 0) / 1000;
  const state = () => {
    const startedMs = load.startedMs();
    const done = startedMs === null ? 0 : Math.min(total, (clock.nowMs() - startedMs) / 1000);
    return { done, total, note: startedMs === null ? "warming up" : `${load.done()} requests  ${failed()}`.trimEnd() };
  };
  const show = (secs: number): string => showDuration(Math.floor(secs) * 1000);
  return startProgress({ label: "bench", state, show, showRate: () => "" }, terminal, clock);
}
