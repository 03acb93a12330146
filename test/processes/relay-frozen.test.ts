// A relay that stood still for a while (a paused machine): when it goes on, so does everything else.
import { expect } from "bun:test";
import { ask, outcomeOf, POLITE } from "./asking.ts";
import { lapse } from "./lapse.ts";
import { startNeighbour } from "./neighbour.ts";
import { scenario } from "./rig.ts";

scenario("[L5] stopped for longer than three heartbeats: it does not blame its workers, and no stream breaks", async (rig) => {
  const [relay, backend] = await Promise.all([rig.relay(["--heartbeat-interval", "0.2"]), rig.backend()]);
  const worker = await rig.worker(relay, backend);
  const neighbour = await startNeighbour(relay);
  const unanswered = ask(relay, { id: "whole", marker: "fake:held" });
  await backend.says("request", { request_id: "whole" });
  relay.signal("SIGSTOP");
  await lapse(backend, 1_000);
  relay.signal("SIGCONT");
  await neighbour.flows(150);
  await neighbour.finishes(backend);
  expect(await outcomeOf(await unanswered)).toEqual(POLITE);
  expect(relay.said("worker heartbeat timed out")).toEqual([]);
  expect(worker.said("registered")).toHaveLength(1);
});
