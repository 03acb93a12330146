// A worker that is there and does nothing: the heartbeat finds it, its work goes elsewhere, and it comes back by itself.
import { expect } from "bun:test";
import { failureOf } from "../support/until.ts";
import { ask, outcome, outcomeOf, POLITE } from "./asking.ts";
import { lapse } from "./lapse.ts";
import { startNeighbour } from "./neighbour.ts";
import { scenario } from "./rig.ts";

const HEARTBEAT = ["--heartbeat-interval", "0.4"];

scenario(
  "[L5] [R2] [T3] stopped: closed after three heartbeats and its requests placed anew; continued: it drops its old work and is back",
  async (rig) => {
    const [relay, backend, rescue] = await Promise.all([rig.relay(HEARTBEAT), rig.backend(), rig.backend()]);
    const frozen = await rig.worker(relay, backend, { name: "frozen" });
    const unanswered = ask(relay, { id: "whole", marker: "fake:held" });
    const stream = await ask(relay, { id: "stream", marker: "fake:hang-mid-stream", stream: true });
    await backend.says("request", { request_id: "whole" });
    await rig.worker(relay, rescue, { name: "rescue", models: "m,other" });
    const neighbour = await startNeighbour(relay, { model: "other" });

    frozen.signal("SIGSTOP");
    await relay.says("worker heartbeat timed out", { worker_name: "frozen" });
    await rescue.says("request", { request_id: "whole" });
    expect(await outcomeOf(stream)).toEqual({ status: 200, code: "worker_lost", end: "broken" });
    await neighbour.flows();

    frozen.signal("SIGCONT");
    await frozen.says("registered", {}, 2);
    await backend.says("closed_by_peer", { request_id: "whole" });
    await backend.says("closed_by_peer", { request_id: "stream" });
    await neighbour.finishes(rescue);
    expect(await outcomeOf(await unanswered)).toEqual(POLITE);
    // Both have room, and the one that has not been given anything for longer is the one that was away.
    const next = await ask(relay);
    expect(next.headers.get("x-modelrelay-worker")).toBe("frozen");
  },
);

scenario("[L5] [C2] stopped for less than three heartbeats: its stream goes on, and a cancel it slept through is done", async (rig) => {
  const [relay, backend] = await Promise.all([rig.relay(["--heartbeat-interval", "2"]), rig.backend()]);
  const worker = await rig.worker(relay, backend, { slots: 2 });
  const neighbour = await startNeighbour(relay);
  const leaving = new AbortController();
  const left = ask(relay, { id: "left", marker: "fake:hang", signal: leaving.signal });
  await backend.says("request", { request_id: "left" });
  worker.signal("SIGSTOP");
  leaving.abort();
  await failureOf(left);
  await relay.says("client left", { request_id: "left" });
  // The slot is not free before the worker says so.
  const next = outcome(relay, { id: "next" });
  await relay.queues(1);
  await lapse(backend, 500);
  worker.signal("SIGCONT");
  await backend.says("closed_by_peer", { request_id: "left" });
  expect(await next).toEqual(POLITE);
  await neighbour.flows();
  await neighbour.finishes(backend);
  expect(worker.said("registered")).toHaveLength(1);
});
