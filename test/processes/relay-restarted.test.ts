// A relay that goes away and comes back at the same address: its workers find it by themselves.
import { expect } from "bun:test";
import { ask, outcome, outcomeOf, POLITE } from "./asking.ts";
import { scenario } from "./rig.ts";

scenario("killed under load: clients are cut off, backends stopped, and the workers of the next relay are the old ones", async (rig) => {
  const [relay, backend] = await Promise.all([rig.relay(), rig.backend()]);
  const workers = await Promise.all(["one", "two"].map((name) => rig.worker(relay, backend, { name, slots: 1 })));
  const stream = await ask(relay, { id: "stream", marker: "fake:hang-mid-stream", stream: true });
  const whole = outcome(relay, { id: "whole", marker: "fake:hang" });
  await backend.says("request", { request_id: "whole" });
  const waiting = outcome(relay, { id: "waiting" });
  await relay.queues(1);
  relay.signal("SIGKILL");
  const cut = { status: 0, code: null, end: "broken" } as const;
  expect(await Promise.all([outcomeOf(stream), whole, waiting])).toEqual([{ ...cut, status: 200 }, cut, cut]);
  for (const id of ["stream", "whole"]) await backend.says("closed_by_peer", { request_id: id });
  for (const worker of workers) await worker.says("connection to proxy lost");

  const next = await rig.relay([], Number(new URL(relay.url).port));
  for (const worker of workers) await worker.says("registered", {}, 2);
  expect(await Promise.all([outcome(next), outcome(next, { stream: true })])).toEqual([POLITE, POLITE]);
  // Nobody is there twice.
  expect(await (await fetch(next.at("/health"))).json()).toMatchObject({ workers_connected: 2, queue_depth: 0 });
});

scenario(
  "[X1] [Q5] restarted with SIGTERM under load: what ran finishes, and what comes before the worker is back waits for it",
  async (rig) => {
    const [relay, backend] = await Promise.all([rig.relay(), rig.backend()]);
    const worker = await rig.worker(relay, backend);
    const whole = ask(relay, { id: "whole", marker: "fake:held" });
    await backend.says("request", { request_id: "whole" });
    relay.signal("SIGTERM");
    await relay.says("graceful shutdown");
    await backend.release();
    expect(await outcomeOf(await whole)).toEqual(POLITE);
    expect(await relay.exit()).toBe(0);
    const next = await rig.relay([], Number(new URL(relay.url).port));
    expect(await Promise.all([outcome(next), outcome(next, { stream: true })])).toEqual([POLITE, POLITE]);
    await worker.says("left the relay while it restarts");
    expect(worker.said("registered")).toHaveLength(2);
  },
);
