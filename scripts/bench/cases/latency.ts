// What the relay adds to a request of an idle system: the whole answer, and the first token of a stream.
import { type Figure, percentiles } from "../figure.ts";
import { Samples } from "../../../src/load/samples.ts";
import { requestBody } from "../script.ts";
import { Stage } from "../stage.ts";
import type { LoopOutcome } from "../tasks.ts";
import type { Case, CaseWorld } from "./case.ts";

const ADDED_P50_MS = 1;
const ADDED_P99_MS = 5;

export const latency: Case = {
  name: "latency",
  method: "One client, one request at a time, in turns past and through the relay over kept-alive connections.",
  measure: measureLatency,
};

async function measureLatency({ isQuick, profileDir }: CaseWorld): Promise<readonly Figure[]> {
  await using stage = await Stage.start({ workers: [64], profileDir });
  const plan = isQuick ? { warmUp: 50, requests: 100 } : { warmUp: 1_000, requests: 5_000 };
  const { direct, relayed } = stage.chatUrls();
  const inTurns = async (body: string): Promise<readonly LoopOutcome[]> => {
    const targets = [direct, relayed].map((url) => ({ url, body }));
    return stage.load({ kind: "turns", targets, plan }, 120_000);
  };
  const [wholeDirect, wholeRelayed] = await inTurns(requestBody(false, {}));
  const [streamDirect, streamRelayed] = await inTurns(requestBody(true, { chunks: 1 }));
  const aims = { p50: { of: "difference", atMost: ADDED_P50_MS }, p99: { of: "difference", atMost: ADDED_P99_MS } } as const;
  return [
    ...percentiles("whole answer", "ms", summary(wholeRelayed!.latency), summary(wholeDirect!.latency), {
      ...aims,
      failures: wholeRelayed!.failures,
    }),
    ...percentiles("time to first token", "ms", summary(streamRelayed!.firstByte), summary(streamDirect!.firstByte), {
      ...aims,
      failures: streamRelayed!.failures,
    }),
  ];
}

function summary(values: readonly number[]) {
  return Samples.from(values).summary();
}
