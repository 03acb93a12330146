// A worker that is gone from one moment to the next: whoever has no answer yet gets it from another, everyone else is told.
import { expect } from "bun:test";
import { ask, outcome, outcomeOf, POLITE } from "./asking.ts";
import { startNeighbour } from "./neighbour.ts";
import { scenario } from "./rig.ts";

scenario(
  "[R1] [R2] [S2] killed with requests unanswered and others waiting: another worker answers them all, in their order",
  async (rig) => {
    const [relay, backend, rescue] = await Promise.all([rig.relay(), rig.backend(), rig.backend()]);
    const doomed = await rig.worker(relay, backend, { name: "doomed", slots: 2 });
    const answers: Promise<Response>[] = [];
    for (const [index, id] of ["r1", "r2", "r3", "r4"].entries()) {
      answers.push(ask(relay, { id, marker: "fake:held" }));
      await (index < 2 ? backend.says("request", { request_id: id }) : relay.queues(index - 1));
    }
    doomed.signal("SIGKILL");
    await relay.says("request requeued", {}, 2);
    await rescue.release();
    await rig.worker(relay, rescue, { name: "rescue", slots: 1 });
    const told = (await Promise.all(answers)).map(({ status, headers }) => [status, headers.get("x-modelrelay-attempts")]);
    expect(told).toEqual([
      [200, "2"],
      [200, "2"],
      [200, "1"],
      [200, "1"],
    ]);
    expect(rescue.said("request").map(({ fields }) => fields["request_id"])).toEqual(["r1", "r2", "r3", "r4"]);
  },
);

scenario("[R2] [S1] killed while another worker is idle: its requests are there at once, and a stream there flows on", async (rig) => {
  const [relay, backend, rescue] = await Promise.all([rig.relay(), rig.backend(), rig.backend()]);
  const doomed = await rig.worker(relay, backend, { name: "doomed" });
  const answers = ["r1", "r2"].map((id) => ask(relay, { id, marker: "fake:held" }));
  await backend.says("request", {}, 2);
  await rig.worker(relay, rescue, { name: "rescue", models: "m,other" });
  const neighbour = await startNeighbour(relay, { model: "other" });
  const killedAtMs = performance.now();
  doomed.signal("SIGKILL");
  for (const id of ["r1", "r2"]) {
    const again = await relay.says("request dispatched", { request_id: id, tries: 2 });
    // Nothing waits for a heartbeat here: the connection's end is the news.
    expect(again.atMs - killedAtMs).toBeLessThan(1_500);
  }
  await neighbour.flows();
  await neighbour.finishes(rescue);
  for (const answer of answers) expect(await outcomeOf(await answer)).toEqual(POLITE);
});

scenario("[R2] [L9] [H3] killed with half of a large body sent to it: the next worker gets all of it", async (rig) => {
  const [relay, backend, rescue] = await Promise.all([rig.relay(), rig.backend(), rig.backend()]);
  const doomed = await rig.worker(relay, backend, { name: "doomed", slots: 2 });
  // It takes no more than the kernel holds for it.
  doomed.signal("SIGSTOP");
  const paddingBytes = 20 * 1024 * 1024;
  const answers = [1, 2].map(() => ask(relay, { paddingBytes }));
  await relay.says("request dispatched", {}, 2);
  await rig.worker(relay, rescue, { name: "rescue", models: "m,other" });
  const neighbour = await startNeighbour(relay, { model: "other" });
  doomed.signal("SIGKILL");
  expect(await Promise.all(answers.map(async (answer) => await outcomeOf(await answer)))).toEqual([POLITE, POLITE]);
  const { body_bytes: bodyBytes } = (await rescue.says("request", { marker: "fake:polite" }, 2)).fields;
  expect(Number(bodyBytes) - paddingBytes).toBeWithin(50, 150);
  expect(backend.said("request")).toEqual([]);
  await neighbour.flows();
  await neighbour.finishes(rescue);
});

scenario(
  "[T3] [R7] [W1] killed in the middle of a stream: an error in the stream and a broken connection, and the next request works",
  async (rig) => {
    const [relay, backend, rescue] = await Promise.all([rig.relay(), rig.backend(), rig.backend()]);
    const doomed = await rig.worker(relay, backend, { name: "doomed" });
    const streams = await Promise.all(["s1", "s2"].map((id) => ask(relay, { id, marker: "fake:hang-mid-stream", stream: true })));
    await rig.worker(relay, rescue, { name: "rescue", models: "m,other" });
    const neighbour = await startNeighbour(relay, { model: "other" });
    doomed.signal("SIGKILL");
    const lost = { status: 200, code: "worker_lost", end: "broken" } as const;
    expect(await Promise.all(streams.map(outcomeOf))).toEqual([lost, lost]);
    expect(await outcome(relay)).toEqual(POLITE);
    expect(relay.said("request requeued")).toEqual([]);
    await neighbour.flows();
    await neighbour.finishes(rescue);
  },
);
