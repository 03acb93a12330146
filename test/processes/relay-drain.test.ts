// A relay that is told to stop while it works: it says so, finishes what it has, and ends with a word to everyone left.
import { expect } from "bun:test";
import { ask, outcome, outcomeOf, POLITE } from "./asking.ts";
import { LazyClient } from "./lazy-client.ts";
import { startNeighbour } from "./neighbour.ts";
import { startNetwork } from "./network.ts";
import { scenario } from "./rig.ts";

scenario(
  "[X1] [W4] [H13] SIGTERM under load: not ready, new requests refused, running and waiting ones finish, exit code 0",
  async (rig) => {
    const [relay, backend] = await Promise.all([rig.relay(), rig.backend()]);
    const worker = await rig.worker(relay, backend, { slots: 2 });
    const stream = await startNeighbour(relay, { id: "stream" });
    const whole = ask(relay, { id: "whole", marker: "fake:held" });
    await backend.says("request", { request_id: "whole" });
    const waiting = ask(relay, { id: "waiting", stream: true });
    await relay.queues(1);
    relay.signal("SIGTERM");
    await relay.says("graceful shutdown", { requests: 3, workers: 1 });
    expect((await fetch(relay.at("/readyz"))).status).toBe(503);
    expect((await fetch(relay.at("/livez"))).status).toBe(200);
    const refused = await ask(relay);
    expect(refused.headers.get("retry-after")).not.toBeNull();
    expect(await outcomeOf(refused)).toEqual({ status: 503, code: "draining", end: "clean" });
    await stream.flows();
    expect(worker.said("graceful shutdown")).toEqual([]);
    await stream.finishes(backend);
    expect(await Promise.all([outcomeOf(await whole), outcomeOf(await waiting)])).toEqual([POLITE, POLITE]);
    await worker.says("graceful shutdown", { by: "relay" });
    expect(await relay.exit()).toBe(0);
    expect(worker.isRunning).toBe(true);
  },
);

scenario("[X2] a drain that takes too long: whoever is left gets an error, in-band or as a status, and the exit code is 0", async (rig) => {
  const [relay, backend] = await Promise.all([rig.relay(["--drain-timeout", "0.5"]), rig.backend()]);
  await rig.worker(relay, backend, { slots: 2 });
  const stream = await ask(relay, { id: "stream", marker: "fake:hang-mid-stream", stream: true });
  const whole = outcome(relay, { id: "whole", marker: "fake:hang" });
  await backend.says("request", { request_id: "whole" });
  const waiting = outcome(relay, { id: "waiting" });
  await relay.queues(1);
  relay.signal("SIGTERM");
  expect(await Promise.all([outcomeOf(stream), whole, waiting])).toEqual([
    { status: 200, code: "shutdown", end: "broken" },
    { status: 503, code: "shutdown", end: "clean" },
    { status: 503, code: "shutdown", end: "clean" },
  ]);
  expect(await relay.exit()).toBe(0);
  await backend.says("closed_by_peer", { request_id: "stream" });
  await backend.says("closed_by_peer", { request_id: "whole" });
});

scenario("[K18] a second SIGTERM ends a relay in the middle of a stream at once, with exit code 143", async (rig) => {
  const [relay, backend] = await Promise.all([rig.relay(), rig.backend()]);
  const worker = await rig.worker(relay, backend);
  const stream = await ask(relay, { id: "stream", marker: "fake:hang-mid-stream", stream: true });
  relay.signal("SIGTERM");
  await relay.says("graceful shutdown");
  expect(await relay.insist("SIGTERM")).toBe(143);
  expect((await outcomeOf(stream)).end).toBe("broken");
  // Nobody wants its answer any more.
  await backend.says("closed_by_peer", { request_id: "stream" });
  await worker.says("connection to proxy lost");
});

scenario(
  "[X1] [W3] relay and worker stopped at the same moment: what runs finishes all the same, and both exit codes are 0",
  async (rig) => {
    const [relay, backend] = await Promise.all([rig.relay(), rig.backend()]);
    const worker = await rig.worker(relay, backend);
    const stream = await startNeighbour(relay, { id: "stream" });
    const whole = ask(relay, { id: "whole", marker: "fake:held" });
    await backend.says("request", { request_id: "whole" });
    relay.signal("SIGTERM");
    worker.signal("SIGTERM");
    await Promise.all([relay.says("graceful shutdown"), worker.says("graceful shutdown")]);
    await stream.flows();
    await stream.finishes(backend);
    expect(await outcomeOf(await whole)).toEqual(POLITE);
    expect([await worker.exit(), await relay.exit()]).toEqual([0, 0]);
  },
);

scenario("[X2] neither a client that does not read nor a worker that is cut off keeps a relay from ending", async (rig) => {
  const [relay, backend] = await Promise.all([rig.relay(["--drain-timeout", "0.2"]), rig.backend()]);
  await using network = await startNetwork(relay);
  await rig.worker(relay, backend);
  using client = new LazyClient(relay, "unread", "fake:endless:64", true);
  await backend.says("request", { request_id: "unread" });
  const other = await rig.backend();
  await rig.worker(relay, other, { name: "cut off", models: "other", through: network.url });
  const unanswered = outcome(relay, { id: "whole", model: "other", marker: "fake:hang" });
  await other.says("request", { request_id: "whole" });
  network.swallow();
  relay.signal("SIGTERM");
  expect(await unanswered).toEqual({ status: 503, code: "shutdown", end: "clean" });
  expect(await relay.exit()).toBe(0);
  expect(client.receivedBytes).toBe(0);
});
