// How long a backend goes on generating for a client that has left.
import { type Figure, percentiles } from "../figure.ts";
import { Samples } from "../../../src/load/samples.ts";
import { type BackendReport, requestBody } from "../script.ts";
import { Stage, until } from "../stage.ts";
import type { HangUps } from "../tasks.ts";
import type { Case, CaseWorld } from "./case.ts";

const CANCEL_P99_MS = 20;

export const cancel: Case = {
  name: "cancel",
  method: "A client in the middle of a stream (20 chunks/s) closes its connection: until the backend sees its own connection closed.",
  measure: measureCancel,
};

async function measureCancel({ isQuick, profileDir }: CaseWorld): Promise<readonly Figure[]> {
  await using stage = await Stage.start({ workers: [4], profileDir });
  const times = isQuick ? 5 : 300;
  const { direct, relayed } = stage.chatUrls();
  const body = requestBody(true, { id: "$INDEX", chunks: 1_000, everyMs: 50 });
  const hangUp = async (url: string, count: number): Promise<Samples> => {
    const hangUps = await stage.load<HangUps>({ kind: "hang-up", target: { url, body }, times: count, clockUrl: stage.clockUrl }, 120_000);
    return closedAfter(stage, hangUps);
  };
  await hangUp(relayed, isQuick ? 2 : 10);
  const past = await hangUp(direct, times);
  const through = await hangUp(relayed, times);
  return percentiles("hang-up until the backend's connection closes", "ms", through.summary(), past.summary(), {
    p99: { of: "relayed", atMost: CANCEL_P99_MS },
  });
}

async function closedAfter(stage: Stage, hangUps: HangUps): Promise<Samples> {
  const closed = new Map<string, number>();
  await until("every abandoned stream is closed at the backend", async () => {
    const report: BackendReport = await stage.report();
    for (const [id, atMs] of Object.entries(report.closed)) closed.set(id, atMs);
    return closed.size >= Object.keys(hangUps).length;
  });
  return Samples.from(Object.entries(hangUps).map(([id, leftMs]) => closed.get(id)! - leftMs));
}
