// Chunks per second when every stream goes as fast as it can: one, a hundred and a thousand of them.
import { addUp, type Figure, figure } from "../figure.ts";
import { CpuMeter } from "../cpu-meter.ts";
import { requestBody } from "../script.ts";
import { Stage } from "../stage.ts";
import type { StreamsOutcome } from "../tasks.ts";
import type { Case, CaseWorld } from "./case.ts";

const CHUNKS_PER_SECOND = 30_000;
const STREAMS = [1, 100, 1000] as const;
const OPENING = 64;

export const chunks: Case = {
  name: "chunks",
  method:
    "The backend writes one chunk at a time to each stream in turn, as fast as they are taken. One worker with a slot for each stream.",
  measure: measureChunks,
};

async function measureChunks(world: CaseWorld): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const streams of STREAMS) if (!world.isQuick || streams < 1000) figures.push(...(await measureAt(streams, world)));
  return figures;
}

async function measureAt(streams: number, { isQuick, profileDir }: CaseWorld): Promise<readonly Figure[]> {
  await using stage = await Stage.start({ workers: [streams], profileDir });
  const total = isQuick ? 5_000 : 200_000;
  const { direct, relayed } = stage.chatUrls();
  const flow = async (url: string, all: number): Promise<StreamsOutcome> => {
    const each = Math.ceil(all / streams);
    const target = { url, body: requestBody(true, { chunks: each, together: streams }) };
    const plan = { streams, opening: OPENING, measure: "count", skip: 1 } as const;
    return stage.load({ kind: "streams", target, plan, clockUrl: stage.clockUrl }, 60_000);
  };
  await flow(relayed, total / 5);
  await flow(direct, total / 5);
  const meter = new CpuMeter(stage);
  const rounds = isQuick ? 1 : 2;
  const outcomes: { readonly direct: StreamsOutcome; readonly relayed: StreamsOutcome }[] = [];
  for (let round = 0; round < rounds; round++) {
    const past = await flow(direct, total);
    meter.start();
    const through = await flow(relayed, total);
    meter.stop(total);
    outcomes.push({ direct: past, relayed: through });
  }
  const rates = outcomes.map((outcome) => perSecond(outcome.relayed));
  return [
    figure(`chunks, ${streams} ${streams === 1 ? "stream" : "streams"}`, "/s", {
      direct: mean(outcomes.map((outcome) => perSecond(outcome.direct))),
      relayed: mean(rates),
      aim: { of: "relayed", atLeast: CHUNKS_PER_SECOND },
      failures: addUp(...outcomes.map((outcome) => outcome.relayed.failures)),
      basis: `${rounds} x ${total} chunks, rounds from ${Math.min(...rates).toFixed(0)} to ${Math.max(...rates).toFixed(0)}`,
    }),
    ...meter.figures("chunk").map((cpu) => ({ ...cpu, name: `${cpu.name}, ${streams} streams` })),
  ];
}

/** Each stream also ends with `[DONE]`, which is no chunk. */
function perSecond({ events, complete, elapsedMs }: StreamsOutcome): number {
  return ((events - complete) * 1000) / elapsedMs;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
