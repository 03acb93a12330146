// How much later each chunk is when streams run at the pace of real models.
import { addUp, type Figure, percentiles } from "../figure.ts";
import { Samples } from "../../../src/load/samples.ts";
import { requestBody } from "../script.ts";
import { Stage } from "../stage.ts";
import type { StreamsOutcome } from "../tasks.ts";
import type { Case, CaseWorld } from "./case.ts";

const STREAMS = 50;
const CHUNKS_PER_SECOND = 20;

export const pace: Case = {
  name: "pace",
  method: `${STREAMS} streams at ${CHUNKS_PER_SECOND} chunks/s each, evenly spread: the time from the backend's write to the client's read, one way.`,
  measure: measurePace,
};

async function measurePace({ isQuick, profileDir }: CaseWorld): Promise<readonly Figure[]> {
  await using stage = await Stage.start({ workers: [STREAMS], profileDir });
  const seconds = isQuick ? 1 : 8;
  const rounds = isQuick ? 1 : 2;
  const { direct, relayed } = stage.chatUrls();
  const flow = async (url: string): Promise<StreamsOutcome> => {
    const script = { chunks: seconds * CHUNKS_PER_SECOND, everyMs: 1000 / CHUNKS_PER_SECOND, together: STREAMS };
    const plan = { streams: STREAMS, opening: STREAMS, measure: "delay", skip: 5 } as const;
    return stage.load({ kind: "streams", target: { url, body: requestBody(true, script) }, plan, clockUrl: stage.clockUrl }, 60_000);
  };
  const past: StreamsOutcome[] = [];
  const through: StreamsOutcome[] = [];
  for (let round = 0; round < rounds; round++) {
    past.push(await flow(direct));
    through.push(await flow(relayed));
  }
  return percentiles("delay of a chunk", "ms", summaryOf(through), summaryOf(past), {
    failures: addUp(...through.map((outcome) => outcome.failures)),
  });
}

function summaryOf(outcomes: readonly StreamsOutcome[]) {
  return Samples.from(outcomes.flatMap((outcome) => outcome.delay)).summary();
}
