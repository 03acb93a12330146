// Requests per second of many clients that never rest.
import { addUp, type Figure, figure } from "../figure.ts";
import { requestBody } from "../script.ts";
import { Stage } from "../stage.ts";
import type { LoopOutcome } from "../tasks.ts";
import type { Case, CaseWorld } from "./case.ts";
import { CpuMeter } from "../cpu-meter.ts";

const CLIENTS = 64;

export const requests: Case = {
  name: "requests",
  method: `${CLIENTS} clients in a closed loop over kept-alive connections, whole answers, rounds past and through the relay in turns.`,
  measure: measureRequests,
};

async function measureRequests({ isQuick, profileDir }: CaseWorld): Promise<readonly Figure[]> {
  await using stage = await Stage.start({ workers: [CLIENTS], profileDir });
  const rounds = isQuick ? 1 : 3;
  const warmUp = isQuick ? 200 : 2_000;
  const { direct, relayed } = stage.chatUrls();
  const round = async (url: string, count: number): Promise<LoopOutcome> => {
    const target = { url, body: requestBody(false, {}) };
    return stage.load({ kind: "loop", target, plan: { clients: CLIENTS, warmUp, requests: count } }, 60_000);
  };
  const relayedCount = isQuick ? 1_000 : 10_000;
  const directRounds: LoopOutcome[] = [];
  const relayedRounds: LoopOutcome[] = [];
  const meter = new CpuMeter(stage);
  for (let index = 0; index < rounds; index++) {
    directRounds.push(await round(direct, relayedCount * 3));
    meter.start();
    relayedRounds.push(await round(relayed, relayedCount));
    meter.stop(relayedCount + warmUp);
  }
  const rates = relayedRounds.map(perSecond);
  return [
    figure(`requests at ${CLIENTS} clients`, "/s", {
      direct: mean(directRounds.map(perSecond)),
      relayed: mean(rates),
      failures: addUp(...relayedRounds.map((outcome) => outcome.failures)),
      basis: `${rounds} x ${relayedCount} requests, rounds from ${Math.min(...rates).toFixed(0)} to ${Math.max(...rates).toFixed(0)}`,
    }),
    ...meter.figures("request"),
  ];
}

function perSecond({ latency, elapsedMs }: LoopOutcome): number {
  return (latency.length * 1000) / elapsedMs;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
