// A client that hangs up, in each phase of its request: the backend's connection is closed at once, and the slot is free.
import { expect } from "bun:test";
import { failureOf } from "../support/until.ts";
import { ask, outcome, POLITE } from "./asking.ts";
import { startNeighbour } from "./neighbour.ts";
import { type Backend, type Relay, type Rig, scenario } from "./rig.ts";

/** Above what a loaded machine needs, and below what anyone would call a wait. */
const AT_ONCE_MS = 700;

/** One worker with one slot for `m`, and a neighbour's stream through the same relay. */
async function setUp(rig: Rig) {
  const [relay, backend, other] = await Promise.all([rig.relay(), rig.backend(), rig.backend()]);
  await Promise.all([rig.worker(relay, backend, { slots: 1 }), rig.worker(relay, other, { name: "other", models: "other" })]);
  return { relay, backend, other, neighbour: await startNeighbour(relay, { model: "other" }) };
}

/** The backend hears of it soon, and the one slot serves the next request. */
async function expectStopped(relay: Relay, backend: Backend, leftAtMs: number): Promise<void> {
  const closed = await backend.says("closed_by_peer", { request_id: "left" });
  expect(closed.atMs - leftAtMs).toBeLessThan(AT_ONCE_MS);
  expect(await outcome(relay)).toEqual(POLITE);
  expect((await relay.says("client left", { request_id: "left" })).atMs - leftAtMs).toBeLessThan(AT_ONCE_MS);
}

for (const { phase, marker, stream } of [
  { phase: "before the headers of a stream", marker: "fake:hang", stream: true },
  { phase: "before a whole answer", marker: "fake:hang", stream: false },
]) {
  scenario(`[C2] hanging up ${phase}`, async (rig) => {
    const { relay, backend, other, neighbour } = await setUp(rig);
    const leaving = new AbortController();
    const asked = ask(relay, { id: "left", marker, stream, signal: leaving.signal });
    await backend.says("request", { request_id: "left" });
    const leftAtMs = performance.now();
    leaving.abort();
    await failureOf(asked);
    await expectStopped(relay, backend, leftAtMs);
    await neighbour.finishes(other);
  });
}

for (const { phase, marker, stream } of [
  { phase: "in the middle of a silent stream", marker: "fake:hang-mid-stream", stream: true },
  { phase: "in the middle of a stream that flows", marker: "fake:held:5", stream: true },
  { phase: "in the middle of a stream at full speed", marker: "fake:endless:16", stream: true },
  { phase: "in the middle of a large whole answer", marker: "fake:huge:50", stream: false },
]) {
  scenario(`[C2] hanging up ${phase}`, async (rig) => {
    const { relay, backend, other, neighbour } = await setUp(rig);
    const leaving = new AbortController();
    const response = await ask(relay, { id: "left", marker, stream, signal: leaving.signal });
    const reader = response.body!.getReader();
    await reader.read();
    const leftAtMs = performance.now();
    leaving.abort();
    await failureOf(reader.closed);
    await expectStopped(relay, backend, leftAtMs);
    await neighbour.finishes(other);
  });
}

scenario("[C1] hanging up while waiting: the request is gone, and the backend never hears of it", async (rig) => {
  const { relay, backend, other, neighbour } = await setUp(rig);
  const running = ask(relay, { id: "running", marker: "fake:held" });
  await backend.says("request", { request_id: "running" });
  const leaving = new AbortController();
  const asked = ask(relay, { id: "left", stream: true, signal: leaving.signal });
  await relay.queues(1);
  const leftAtMs = performance.now();
  leaving.abort();
  await failureOf(asked);
  expect((await relay.says("client left", { request_id: "left", phase: "queued" })).atMs - leftAtMs).toBeLessThan(AT_ONCE_MS);
  await relay.queues(0);
  await backend.release();
  expect((await running).status).toBe(200);
  expect(await outcome(relay)).toEqual(POLITE);
  expect(backend.said("request", { request_id: "left" })).toEqual([]);
  await neighbour.finishes(other);
});

scenario(
  "[C2] [S6] a hundred requests given up one after another at one slot, in every phase: the slot comes back each time",
  async (rig) => {
    const { relay, backend, other, neighbour } = await setUp(rig);
    for (let round = 0; round < 100; round++) {
      const leaving = new AbortController();
      const id = `round${round}`;
      const stream = round % 2 === 0;
      const asked = ask(relay, { id, marker: round % 4 < 2 ? "fake:hang" : "fake:hang-mid-stream", stream, signal: leaving.signal });
      const moment = round % 3;
      if (moment === 0) await relay.says("request dispatched", { request_id: id });
      if (moment === 1) await backend.says("request", { request_id: id });
      leaving.abort();
      await failureOf(asked.then((response) => response.text()));
    }
    expect(await outcome(relay)).toEqual(POLITE);
    await relay.queues(0);
    await neighbour.finishes(other);
  },
);
