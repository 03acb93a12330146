// Ending well: the worker's own drain, its relay's, and a stop.
import { describe, expect, test } from "bun:test";
import { ManualClock } from "../support/manual-clock.ts";
import { startTestWorker } from "../support/running-worker.ts";
import { startScriptedBackend } from "../support/scripted-backend.ts";
import { startStallablePipe } from "../support/stallable-pipe.ts";
import { turns, until, within } from "../support/until.ts";
import { V1Relay } from "../support/v1-relay.ts";
import { V2Relay } from "../support/v2-relay.ts";
import { startV1Rig, startV2Rig } from "./rig.ts";

const CLOSE_DEADLINE_MS = 5_000;
/** More than the kernel's buffers on the way hold. */
const ANSWER_CHARS = 40_000_000;

describe("[D19] a worker that drains", () => {
  test("v2: says so, rejects new requests, finishes the running ones, closes and ends", async () => {
    await using rig = await startV2Rig();
    const attempt = rig.relay.request(rig.peer);
    const call = (await rig.backend.call()).sse().chunk("data: 1\n\n");
    rig.worker.drain();
    expect(await rig.peer.next("draining")).toEqual({ type: "draining", timeout_secs: 30 });
    expect(rig.worker.log.of("graceful shutdown")[0]?.fields).toMatchObject({ active: 1 });
    expect(await rig.relay.about(rig.peer, "reject", rig.relay.request(rig.peer))).toMatchObject({ reason: "draining" });
    call.chunk("data: [DONE]\n\n").endChunks();
    expect((await rig.relay.about(rig.peer, "response_end", attempt))["error"]).toBeUndefined();
    await within(rig.worker.finished, "the end of the worker");
    await until(() => rig.peer.closed !== null, "the close");
    expect(rig.peer.closed).toEqual({ code: 1000, reason: "graceful shutdown complete" });
    expect(rig.relay.body(rig.peer, attempt).toString()).toBe("data: 1\n\ndata: [DONE]\n\n");
    expect(rig.worker.status()).toMatchObject({ connection: "stopped", active: 0, isDraining: true });
  });

  test("v1: offers no models, finishes the running ones, closes and ends", async () => {
    await using rig = await startV1Rig();
    const id = rig.relay.request(rig.peer);
    const call = (await rig.backend.call()).sse();
    rig.worker.drain();
    expect(await rig.peer.next("models_update")).toEqual({ type: "models_update", models: [], current_load: 1 });
    rig.peer.send({ type: "models_refresh" });
    expect(await rig.peer.next("models_update", 1)).toMatchObject({ models: [] });
    call.chunk("data: [DONE]\n\n").endChunks();
    await rig.relay.complete(rig.peer, id);
    await within(rig.worker.finished, "the end of the worker");
  });

  test("with a large answer still in its buffers, sends all of it first, as long as the network takes some", async () => {
    const clock = new ManualClock();
    await using backend = await startScriptedBackend();
    await using relay = new V1Relay();
    await using pipe = await startStallablePipe(relay.url);
    await using worker = startTestWorker({ relay: pipe, backend }, { clock });
    const peer = await relay.peer();
    const id = relay.request(peer, { is_streaming: false });
    const call = await backend.call();
    pipe.stall();
    worker.drain();
    call.json(200, { text: "x".repeat(ANSWER_CHARS) });
    await until(() => clock.dueInMs.includes(CLOSE_DEADLINE_MS), "the worker to close", 20_000);
    pipe.resume();
    await until(() => pipe.passedBytes > ANSWER_CHARS / 4, "part of the answer", 20_000);
    pipe.stall();
    clock.advance(CLOSE_DEADLINE_MS);
    expect(worker.status().connection).toBe("registered");
    pipe.resume();
    await within(worker.finished, "the end of the worker", 20_000);
    expect(String((await relay.complete(peer, id))["body"]).length).toBeGreaterThan(ANSWER_CHARS);
  }, 60_000);

  test("does not wait for a network that takes nothing", async () => {
    const clock = new ManualClock();
    await using backend = await startScriptedBackend();
    await using relay = new V1Relay();
    await using pipe = await startStallablePipe(relay.url);
    await using worker = startTestWorker({ relay: pipe, backend }, { clock });
    const peer = await relay.peer();
    relay.request(peer, { is_streaming: false });
    const call = await backend.call();
    pipe.stall();
    worker.drain();
    call.json(200, { text: "x".repeat(ANSWER_CHARS) });
    await until(() => clock.dueInMs.includes(CLOSE_DEADLINE_MS), "the worker to close", 20_000);
    for (let round = 0; round < 5; round++) {
      await turns(200);
      clock.advance(CLOSE_DEADLINE_MS);
    }
    await within(worker.finished, "the end of the worker");
  }, 60_000);

  test("cancelled requests count as finished", async () => {
    await using rig = await startV2Rig();
    const attempt = rig.relay.request(rig.peer);
    await rig.backend.call();
    rig.worker.drain();
    rig.peer.send({ type: "cancel", attempt });
    await rig.relay.about(rig.peer, "cancelled", attempt);
    await within(rig.worker.finished, "the end of the worker");
  });

  test("ends at the deadline, aborting what still runs", async () => {
    const clock = new ManualClock();
    await using rig = await startV2Rig({ world: { clock }, worker: { drainTimeoutMs: 7_000 } });
    rig.relay.request(rig.peer);
    const call = await rig.backend.call();
    rig.worker.drain();
    expect(await rig.peer.next("draining")).toMatchObject({ timeout_secs: 7 });
    clock.advance(6_999);
    expect(rig.worker.status().active).toBe(1);
    clock.advance(1);
    await until(() => call.isClosed, "the backend to see it");
    await within(rig.worker.finished, "the end of the worker");
    await until(() => rig.peer.closed?.reason === "graceful shutdown timed out", "the close");
    expect(clock.pending).toBe(0);
  });

  test("ends at once when nothing runs, when it is not connected, and when the connection is lost", async () => {
    await using idle = await startV2Rig();
    await until(() => idle.worker.status().connection === "registered", "registration");
    idle.worker.drain();
    await within(idle.worker.finished, "the end of the idle worker");

    await using backend = await startScriptedBackend();
    await using alone = startTestWorker({ relay: { url: new URL("http://127.0.0.1:1") }, backend });
    alone.drain();
    await within(alone.finished, "the end of the worker without a relay");

    await using lost = await startV2Rig();
    lost.relay.request(lost.peer);
    await lost.backend.call();
    lost.worker.drain();
    lost.peer.cut();
    await within(lost.worker.finished, "the end of the worker that lost its relay");
    expect(lost.relay.peers).toHaveLength(1);
  });
});

describe("[D20] a relay that restarts", () => {
  test("v2: the worker finishes, leaves, and comes back after the time it was told", async () => {
    const clock = new ManualClock();
    await using rig = await startV2Rig({ world: { clock, random: () => 0.5 } });
    const attempt = rig.relay.request(rig.peer);
    const call = (await rig.backend.call()).sse();
    rig.peer.send({ type: "graceful_shutdown", reason: "upgrade", drain_timeout_secs: 20, reconnect_after_secs: 4 });
    expect(await rig.relay.about(rig.peer, "reject", rig.relay.request(rig.peer))).toMatchObject({ reason: "draining" });
    call.endChunks();
    await rig.relay.about(rig.peer, "response_end", attempt);
    await until(() => rig.worker.status().connection === "waiting", "the worker to leave");
    expect(rig.peer.closed).toEqual({ code: 1000, reason: "graceful shutdown complete" });
    expect(clock.dueInMs).toEqual([6_000]);
    clock.advance(6_000);
    await rig.relay.peer(1);
    expect(rig.worker.log.of("graceful shutdown")[0]?.fields).toMatchObject({ by: "relay", reason: "upgrade" });
  });

  test("v1: the same, after a second or two; the relay may close first", async () => {
    const clock = new ManualClock();
    await using rig = await startV1Rig({ world: { clock } });
    const id = rig.relay.request(rig.peer);
    const call = await rig.backend.call();
    rig.peer.send({ type: "graceful_shutdown" });
    call.json(200, {});
    await rig.relay.complete(rig.peer, id);
    rig.peer.close(1000, "graceful shutdown complete");
    await until(() => rig.worker.status().connection === "waiting", "the worker to leave");
    expect(clock.dueInMs).toEqual([1_000]);
  });

  test("and does not wait for an answer beyond its own deadline", async () => {
    const clock = new ManualClock();
    await using rig = await startV2Rig({ world: { clock } });
    rig.relay.request(rig.peer);
    const call = await rig.backend.call();
    rig.peer.send({ type: "graceful_shutdown", drain_timeout_secs: 3 });
    await until(() => rig.worker.log.of("graceful shutdown").length === 1, "the message");
    clock.advance(3_000);
    await until(() => call.isClosed, "the backend to see it");
    await until(() => rig.worker.status().connection === "waiting", "the worker to leave");
  });
});

describe("[D26] a stop leaves nothing behind:", () => {
  test("running requests", async () => {
    const clock = new ManualClock();
    await using rig = await startV2Rig({ world: { clock } });
    rig.relay.request(rig.peer);
    rig.relay.request(rig.peer);
    const [waiting, streaming] = [await rig.backend.call(0), (await rig.backend.call(1)).sse()];
    await rig.worker.stop();
    await until(() => waiting.isClosed && streaming.isClosed && rig.peer.closed !== null, "everything to be closed");
    expect(clock.pending).toBe(0);
    expect(rig.worker.status()).toMatchObject({ connection: "stopped", active: 0, workerId: null });
    await rig.worker.stop();
  });

  test("a worker that is just asking its backend", async () => {
    const clock = new ManualClock();
    await using backend = await startScriptedBackend({ onListing: () => {} });
    await using relay = new V2Relay();
    await using worker = startTestWorker({ relay, backend, models: null }, { clock });
    await until(() => backend.listings === 1, "the question");
    await worker.stop();
    await until(() => backend.sockets.size === 0, "the connection to be gone");
    expect([clock.pending, relay.peers.length]).toEqual([0, 0]);
  });

  test("a worker that is connecting, and one that waits", async () => {
    const clock = new ManualClock();
    await using backend = await startScriptedBackend();
    await using silent = await startScriptedBackend({ onListing: () => {} });
    await using connecting = startTestWorker({ relay: silent, backend }, { clock });
    await until(() => silent.sockets.size === 1, "the connection");
    await connecting.stop();
    await until(() => silent.sockets.size === 0, "the connection to be gone");
    await using waiting = startTestWorker({ relay: { url: new URL("http://127.0.0.1:1") }, backend }, { clock });
    await until(() => waiting.status().connection === "waiting", "the failure");
    await waiting.stop();
    expect(clock.pending).toBe(0);
  });

  test("and so does a worker that has answered everything", async () => {
    const clock = new ManualClock();
    await using rig = await startV2Rig({ world: { clock }, backend: { onCall: (call) => call.json(200, {}) } });
    for (let round = 0; round < 20; round++) await rig.relay.about(rig.peer, "response_end", rig.relay.request(rig.peer));
    await until(() => rig.backend.sockets.size === 0, "the backend's connections to be gone");
    // The one that watches for a silent relay.
    expect(clock.dueInMs).toEqual([90_000]);
  });
});
