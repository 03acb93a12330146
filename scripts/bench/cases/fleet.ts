// What a large fleet of idle workers costs the relay.
import { type Figure, figure } from "../figure.ts";
import { Stage } from "../stage.ts";
import type { Case, CaseWorld } from "./case.ts";

/** Long enough that pings have gone round and the collector has run. */
const SETTLE_MS = 2_000;

export const fleet: Case = {
  name: "fleet",
  method: "Registered v2 workers without work; memory once they have settled. `direct` is the relay before they came.",
  measure: measureFleet,
};

async function measureFleet({ isQuick, profileDir }: CaseWorld): Promise<readonly Figure[]> {
  await using stage = await Stage.start({ workers: [1], profileDir });
  const count = isQuick ? 50 : 1_000;
  await Bun.sleep(isQuick ? 0 : SETTLE_MS);
  const before = stage.relay.rssMib();
  await stage.addIdleWorkers(count);
  await stage.workersConnected(count + 1);
  await Bun.sleep(isQuick ? 0 : SETTLE_MS);
  const after = stage.relay.rssMib();
  return [
    figure(`relay memory with ${count} idle workers`, "MiB", { direct: before, relayed: after, basis: "resident" }),
    figure("relay memory per idle worker", "KiB", { relayed: ((after - before) * 1024) / count, basis: `${count} workers` }),
  ];
}
