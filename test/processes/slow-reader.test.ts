// Clients that stop reading: what is not read stays with the backend, and relay and worker keep their memory and their pace.
import { expect } from "bun:test";
import { until } from "../support/until.ts";
import { PATIENCE_MS } from "./child.ts";
import { LazyClient } from "./lazy-client.ts";
import { startNeighbour } from "./neighbour.ts";
import { type Backend, scenario } from "./rig.ts";

const MIB = 1024 * 1024;
/** Far above what the windows allow, and a fraction of what the backend has to give. */
const STALLED_GROWTH_MAX_MIB = 60;
/** While one of them reads at full speed, garbage comes on top; it levels off at half of this. */
const FLOWING_GROWTH_MAX_MIB = 100;

/** Resolves to the bytes the backend got rid of, once that number stands still while a neighbour reads a hundred words. */
async function untilStalled(backend: Backend, neighbour: { flows(words: number): Promise<void> }): Promise<number> {
  let accepted = -1;
  await until(
    async () => {
      const before = accepted;
      await neighbour.flows(50);
      accepted = await backend.bytesAccepted();
      // The neighbour's own words count too.
      return accepted - before < 50 * 1_000;
    },
    "the backend is no longer read",
    2 * PATIENCE_MS,
  );
  return accepted;
}

for (const { kind, marker, stream, mebibytes } of [
  { kind: "endless streams", marker: "fake:endless:64", stream: true, mebibytes: 100 },
  { kind: "large whole answers", marker: "fake:huge:60", stream: false, mebibytes: 40 },
]) {
  scenario(`[T6] clients that do not read their ${kind} hold little memory, and a stream of the same worker flows on`, async (rig) => {
    const [relay, backend] = await Promise.all([rig.relay(), rig.backend()]);
    const worker = await rig.worker(relay, backend, { slots: 8 });
    const neighbour = await startNeighbour(relay);
    await neighbour.flows(50);
    const before = { relay: relay.residentMib, worker: worker.residentMib };
    const ids = ["slow1", "slow2", "slow3", "slow4", "slow5", "slow6"];
    const clients = ids.map((id) => new LazyClient(relay, id, marker, stream));
    try {
      await backend.says("request", { marker }, ids.length);
      const accepted = await untilStalled(backend, neighbour);
      expect(accepted / MIB / ids.length).toBeLessThan(20);
      expect(relay.residentMib - before.relay).toBeLessThan(STALLED_GROWTH_MAX_MIB);
      expect(worker.residentMib - before.worker).toBeLessThan(STALLED_GROWTH_MAX_MIB);
      // It was only waiting: whoever reads on gets more.
      await clients[0]!.reads(mebibytes * MIB);
      expect(relay.residentMib - before.relay).toBeLessThan(FLOWING_GROWTH_MAX_MIB);
      expect(worker.residentMib - before.worker).toBeLessThan(FLOWING_GROWTH_MAX_MIB);
      await neighbour.flows();
    } finally {
      for (const client of clients) client[Symbol.dispose]();
    }
    for (const id of ids) await backend.says("closed_by_peer", { request_id: id });
    await neighbour.finishes(backend);
  });
}
