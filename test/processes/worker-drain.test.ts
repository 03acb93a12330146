// A worker that is told to stop while it works: it finishes, others take over, and a second signal does not wait.
import { expect } from "bun:test";
import { ask, outcome, outcomeOf, POLITE } from "./asking.ts";
import { startNeighbour } from "./neighbour.ts";
import { scenario } from "./rig.ts";

scenario("[W3] [K18] SIGTERM under load: what runs finishes, what comes goes to the other worker, and the exit code is 0", async (rig) => {
  const [relay, backend, successor] = await Promise.all([rig.relay(), rig.backend(), rig.backend()]);
  const leaving = await rig.worker(relay, backend, { name: "leaving", slots: 2 });
  const stream = await startNeighbour(relay, { id: "stream" });
  const whole = ask(relay, { id: "whole", marker: "fake:held" });
  await backend.says("request", { request_id: "whole" });
  const waiting = ask(relay, { id: "waiting" });
  await relay.queues(1);
  leaving.signal("SIGTERM");
  await leaving.says("graceful shutdown", { active: 2 });
  await relay.says("graceful shutdown", { by: "worker" });
  await rig.worker(relay, successor, { name: "successor" });
  expect((await waiting).headers.get("x-modelrelay-worker")).toBe("successor");
  const next = await ask(relay);
  expect(next.headers.get("x-modelrelay-worker")).toBe("successor");
  await stream.flows();
  expect(leaving.isRunning).toBe(true);
  await stream.finishes(backend);
  expect(await outcomeOf(await whole)).toEqual(POLITE);
  expect(await leaving.exit()).toBe(0);
  await relay.says("worker drained");
  expect(relay.said("request requeued")).toEqual([]);
});

scenario("[K18] [W1] a second SIGTERM: exit code 143 at once, the stream is told, the unanswered request goes elsewhere", async (rig) => {
  const [relay, backend, successor] = await Promise.all([rig.relay(), rig.backend(), rig.backend()]);
  const leaving = await rig.worker(relay, backend, { name: "leaving" });
  const stream = await ask(relay, { id: "stream", marker: "fake:hang-mid-stream", stream: true });
  const whole = ask(relay, { id: "whole", marker: "fake:held" });
  await backend.says("request", { request_id: "whole" });
  await rig.worker(relay, successor, { name: "successor" });
  await successor.release();
  leaving.signal("SIGTERM");
  await leaving.says("graceful shutdown");
  expect(await leaving.insist("SIGTERM")).toBe(143);
  expect(await outcomeOf(stream)).toEqual({ status: 200, code: "worker_lost", end: "broken" });
  expect((await whole).headers.get("x-modelrelay-worker")).toBe("successor");
});

scenario(
  "[W1] [R2] a drain that takes too long: the rest is cut, the unanswered request goes elsewhere, and the exit code is 0",
  async (rig) => {
    const [relay, backend, successor] = await Promise.all([rig.relay(), rig.backend(), rig.backend()]);
    const leaving = await rig.worker(relay, backend, { name: "leaving", flags: ["--drain-timeout", "0.5"] });
    const stream = await ask(relay, { id: "stream", marker: "fake:hang-mid-stream", stream: true });
    const whole = ask(relay, { id: "whole", marker: "fake:held" });
    await backend.says("request", { request_id: "whole" });
    await rig.worker(relay, successor, { name: "successor" });
    await successor.release();
    leaving.signal("SIGTERM");
    await leaving.says("drain timed out", { aborted: 2 });
    expect(await leaving.exit()).toBe(0);
    expect(await outcomeOf(stream)).toEqual({ status: 200, code: "worker_lost", end: "broken" });
    expect((await whole).headers.get("x-modelrelay-worker")).toBe("successor");
    expect(await outcome(relay)).toEqual(POLITE);
  },
);
