// How long the requests of a worker that was killed take to reach another one.
import { type Figure, percentiles } from "../figure.ts";
import { sharedNowMs } from "../clock.ts";
import { Samples } from "../../../src/load/samples.ts";
import { type BackendReport, requestBody } from "../script.ts";
import { measureSkewMs } from "../skew.ts";
import { Stage, until } from "../stage.ts";
import type { LoopOutcome } from "../tasks.ts";
import type { Case, CaseWorld } from "./case.ts";

const REDISPATCH_MS = 50;
/** Requests the killed worker holds. */
const HELD = 8;
const WARM_UP = { clients: HELD, requests: 200, warmUp: 0 };

export const redispatch: Case = {
  name: "redispatch",
  method: `kill -9 of a worker that holds ${HELD} unanswered requests: until each arrives at the backend again, through another worker. Direct: until the system has closed the killed process's sockets, before which nobody can know.`,
  measure: measureRedispatch,
};

async function measureRedispatch({ isQuick, profileDir }: CaseWorld): Promise<readonly Figure[]> {
  await using stage = await Stage.start({ workers: [HELD], profileDir });
  const skewMs = await measureSkewMs(stage.clockUrl);
  const again = new Samples();
  const closed = new Samples();
  for (let round = 0; round < (isQuick ? 2 : 15); round++) {
    const killed = await killOne(stage, `round-${round}`, skewMs);
    again.addAll(killed.againMs);
    closed.add(killed.closedMs);
  }
  return percentiles("kill until the request arrives again", "ms", again.summary(), closed.summary(), {
    p99: { of: "relayed", atMost: REDISPATCH_MS },
  });
}

interface Killed {
  /** From the kill until each request arrived again. */
  readonly againMs: readonly number[];
  /** From the kill until the backend saw the connections of the killed worker closed. */
  readonly closedMs: number;
}

/** One after the other the workers get all requests, because each successor comes only when they are held. */
async function killOne(stage: Stage, id: string, skewMs: number): Promise<Killed> {
  const target = { url: stage.chatUrls().relayed, body: requestBody(false, { id, holdFirst: HELD }) };
  const plan = { clients: HELD, requests: HELD, warmUp: 0 };
  const answered = stage.load<LoopOutcome>({ kind: "loop", target, plan }, 30_000);
  const arrivals: number[] = [];
  let closedAtMs = 0;
  const arrived = (count: number) =>
    until(`${count} arrivals of ${id}`, async () => {
      const report: BackendReport = await stage.report();
      arrivals.push(...(report.arrivals[id] ?? []));
      closedAtMs = report.closed[id] ?? closedAtMs;
      return arrivals.length >= count;
    });
  await arrived(HELD);
  const holder = stage.workers.findLast((worker) => worker.isRunning)!;
  await stage.addWorker(HELD);
  // The holder has no slot left, so these go to its successor: a worker of a fleet has served requests before.
  await stage.load<LoopOutcome>({ kind: "loop", target: { ...target, body: requestBody(false, {}) }, plan: WARM_UP }, 30_000);
  const killedMs = sharedNowMs() - skewMs;
  holder.kill();
  await arrived(2 * HELD);
  const { failures } = await answered;
  if (Object.keys(failures).length > 0) throw new Error(`requests of a killed worker failed: ${JSON.stringify(failures)}`);
  return { againMs: arrivals.slice(HELD).map((atMs) => atMs - killedMs), closedMs: closedAtMs - killedMs };
}
