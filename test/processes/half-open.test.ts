// Links of which only one end knows that they are dead. That a worker gives up on a silent relay after 90 s is shown with a
// clock moved by hand (test/worker/connection.test.ts).
import { expect } from "bun:test";
import { ask, outcome, outcomeOf, POLITE } from "./asking.ts";
import { startNeighbour } from "./neighbour.ts";
import { startNetwork } from "./network.ts";
import { scenario } from "./rig.ts";

scenario(
  "[L5] [R2] [T3] a link that loses everything both ways: the heartbeat frees its work, and a stream elsewhere flows on",
  async (rig) => {
    const [relay, backend, rescue] = await Promise.all([rig.relay(["--heartbeat-interval", "0.4"]), rig.backend(), rig.backend()]);
    await using network = await startNetwork(relay);
    const lost = await rig.worker(relay, backend, { name: "lost", through: network.url });
    const unanswered = ask(relay, { id: "whole", marker: "fake:held" });
    const stream = await ask(relay, { id: "stream", marker: "fake:hang-mid-stream", stream: true });
    await backend.says("request", { request_id: "whole" });
    await rig.worker(relay, rescue, { name: "rescue", models: "m,other" });
    const neighbour = await startNeighbour(relay, { model: "other" });
    network.swallow();
    await relay.says("worker heartbeat timed out", { worker_name: "lost" });
    expect(await outcomeOf(stream)).toEqual({ status: 200, code: "worker_lost", end: "broken" });
    await rescue.says("request", { request_id: "whole" });
    await neighbour.flows();
    await neighbour.finishes(rescue);
    expect(await outcomeOf(await unanswered)).toEqual(POLITE);
    // It cannot know yet; what it still does for the relay harms nobody.
    expect(lost.said("connection to proxy lost")).toEqual([]);
    expect(await outcome(relay)).toEqual(POLITE);
  },
);

scenario("[W2] [R2] a link of which the relay does not know that it broke: the worker's new one takes its place at once", async (rig) => {
  const [relay, backend] = await Promise.all([rig.relay(), rig.backend()]);
  await using network = await startNetwork(relay);
  const worker = await rig.worker(relay, backend, { slots: 2, models: "m", through: network.url });
  const other = await rig.backend();
  await rig.worker(relay, other, { name: "other", models: "other" });
  const neighbour = await startNeighbour(relay, { model: "other" });
  const unanswered = ask(relay, { id: "whole", marker: "fake:held" });
  const stream = await ask(relay, { id: "stream", marker: "fake:hang-mid-stream", stream: true });
  await backend.says("request", { request_id: "whole" });
  network.cutWorkers();
  await worker.says("registered", {}, 2);
  // Both slots are free again: the old connection counts as lost, though it looks open.
  await backend.says("request", { request_id: "whole" }, 2);
  expect(await outcomeOf(stream)).toEqual({ status: 200, code: "worker_lost", end: "broken" });
  expect(await outcome(relay)).toEqual(POLITE);
  await backend.release();
  expect(await outcomeOf(await unanswered)).toEqual(POLITE);
  expect(relay.said("worker heartbeat timed out")).toEqual([]);
  await neighbour.flows();
  await neighbour.finishes(other);
});
