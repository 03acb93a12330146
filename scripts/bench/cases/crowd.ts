// Ten thousand streams at once, each slow: how late the chunks are, and what it costs in memory.
import { type Figure, figure, percentiles } from "../figure.ts";
import { CpuMeter } from "../cpu-meter.ts";
import { Samples } from "../../../src/load/samples.ts";
import { requestBody } from "../script.ts";
import { Stage } from "../stage.ts";
import type { StreamsOutcome } from "../tasks.ts";
import type { Case, CaseWorld } from "./case.ts";

const DELAY_P99_MS = 10;
const RELAY_MIB = 256;
const WORKERS = 4;
const OPENING = 64;
/** Chunks at the beginning of each stream that are not measured: the rush of opening has to pass. */
const SKIP = 3;
const LOOK_EVERY_MS = 200;

export const crowd: Case = {
  name: "crowd",
  method: `Streams at 1 chunk/s, evenly spread over the second, through ${WORKERS} workers. Memory is the highest seen while they run.`,
  measure: measureCrowd,
};

async function measureCrowd({ isQuick, profileDir }: CaseWorld): Promise<readonly Figure[]> {
  const streams = isQuick ? 200 : 10_000;
  const chunks = isQuick ? 4 : 20;
  await using stage = await Stage.start({ workers: Array.from({ length: WORKERS }, () => Math.ceil(streams / WORKERS)), profileDir });
  const { direct, relayed } = stage.chatUrls();
  const flow = async (url: string): Promise<StreamsOutcome> => {
    const body = requestBody(true, { chunks, everyMs: isQuick ? 250 : 1_000, together: streams });
    const skip = isQuick ? 1 : SKIP;
    // When the last chunk comes, all streams end within a second: that is another question.
    const plan = { streams, opening: OPENING, measure: "delay", skip, take: chunks - skip } as const;
    return stage.load({ kind: "streams", target: { url, body }, plan, clockUrl: stage.clockUrl }, 90_000);
  };
  const past = await flow(direct);
  await stage.report();
  const meter = new CpuMeter(stage);
  meter.start();
  const { result: through, highest } = await watchMemory(stage, flow(relayed));
  meter.stop(streams * chunks);
  const { lateness } = await stage.report();
  const late = Samples.from(lateness).summary();
  return [
    ...percentiles(`delay of a chunk, ${streams} streams`, "ms", summaryOf(through), summaryOf(past), {
      p99: { of: "relayed", atMost: DELAY_P99_MS },
      failures: through.failures,
      basis: `${through.delay.length} chunks; the backend itself was late by ${late.p50.toFixed(1)} (p50), ${late.p99.toFixed(1)} (p99)`,
    }),
    figure(`relay memory, ${streams} streams`, "MiB", {
      relayed: highest.relay,
      aim: { of: "relayed", atMost: RELAY_MIB },
      basis: "highest",
    }),
    figure("memory of one worker", "MiB", { relayed: highest.worker, basis: `highest of ${WORKERS}` }),
    figure("opening the streams", "/s", {
      direct: (streams * 1000) / past.openedMs,
      relayed: (streams * 1000) / through.openedMs,
      basis: `${OPENING} at a time`,
    }),
    ...meter.figures("chunk"),
  ];
}

async function watchMemory<Result>(stage: Stage, work: Promise<Result>) {
  const highest = { relay: 0, worker: 0 };
  const look = (): void => {
    highest.relay = Math.max(highest.relay, stage.relay.rssMib());
    for (const worker of stage.workers) highest.worker = Math.max(highest.worker, worker.rssMib());
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  try {
    const result = await work;
    look();
    return { result, highest };
  } finally {
    clearInterval(timer);
  }
}

function summaryOf({ delay }: StreamsOutcome) {
  return Samples.from(delay).summary();
}
