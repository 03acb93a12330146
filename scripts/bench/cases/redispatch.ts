// How long the requests of a worker that was killed take to reach another one.
import { type Figure, percentiles } from "../figure.ts";
import { sharedNowMs } from "../clock.ts";
import { Samples } from "../samples.ts";
import { type BackendReport, requestBody } from "../script.ts";
import { measureSkewMs } from "../skew.ts";
import { Stage, until } from "../stage.ts";
import type { LoopOutcome } from "../tasks.ts";
import type { Case, CaseWorld } from "./case.ts";

const REDISPATCH_MS = 50;
/** Requests the killed worker holds. */
const HELD = 8;

export const redispatch: Case = {
  name: "redispatch",
  method: `kill -9 of a worker that holds ${HELD} unanswered requests: until each arrives at the backend again, through another worker.`,
  measure: measureRedispatch,
};

async function measureRedispatch({ isQuick, profileDir }: CaseWorld): Promise<readonly Figure[]> {
  await using stage = await Stage.start({ workers: [HELD], profileDir });
  const skewMs = await measureSkewMs(stage.clockUrl);
  const samples = new Samples();
  for (let round = 0; round < (isQuick ? 2 : 15); round++) samples.addAll(await killOne(stage, `round-${round}`, skewMs));
  return percentiles("kill until the request arrives again", "ms", samples.summary(), null, {
    p99: { of: "relayed", atMost: REDISPATCH_MS },
  });
}

/** One after the other the workers get all requests, because each successor comes only when they are held. */
async function killOne(stage: Stage, id: string, skewMs: number): Promise<readonly number[]> {
  const target = { url: stage.chatUrls().relayed, body: requestBody(false, { id, holdFirst: HELD }) };
  const plan = { clients: HELD, requests: HELD, warmUp: 0 };
  const answered = stage.load<LoopOutcome>({ kind: "loop", target, plan }, 30_000);
  const arrivals: number[] = [];
  const arrived = (count: number) =>
    until(`${count} arrivals of ${id}`, async () => {
      const report: BackendReport = await stage.report();
      arrivals.push(...(report.arrivals[id] ?? []));
      return arrivals.length >= count;
    });
  await arrived(HELD);
  const holder = stage.workers.findLast((worker) => worker.isRunning)!;
  await stage.addWorker(HELD);
  const killedMs = sharedNowMs() - skewMs;
  holder.kill();
  await arrived(2 * HELD);
  const { failures } = await answered;
  if (Object.keys(failures).length > 0) throw new Error(`requests of a killed worker failed: ${JSON.stringify(failures)}`);
  return arrivals.slice(HELD).map((atMs) => atMs - killedMs);
}
