// Cancelling reaches the backend, in every phase and on both protocols.
import { describe, expect, test } from "bun:test";
import { turns, until } from "../support/until.ts";
import { startV1Rig, startV2Rig } from "./rig.ts";

describe("[D5] v2: a cancel closes the backend's connection and is answered", () => {
  test("while the request's body is still coming", async () => {
    await using rig = await startV2Rig();
    const attempt = rig.relay.request(rig.peer, { body: "half", body_length: 8 });
    rig.peer.send({ type: "cancel", attempt, reason: "client_disconnect" });
    await rig.relay.about(rig.peer, "cancelled", attempt);
    rig.relay.sendBody(rig.peer, attempt, Buffer.from("late"));
    rig.peer.send({ type: "ping" });
    expect((await rig.peer.next("pong"))["current_load"]).toBe(0);
    expect(rig.backend.sockets.size).toBe(0);
  });

  test("before the backend has answered", async () => {
    await using rig = await startV2Rig();
    const attempt = rig.relay.request(rig.peer);
    const call = await rig.backend.call();
    rig.peer.send({ type: "cancel", attempt, reason: { other: "whim" } });
    await until(() => call.isClosed, "the backend to see it");
    await rig.relay.about(rig.peer, "cancelled", attempt);
    expect(rig.peer.of("response_end")).toHaveLength(0);
    expect(rig.worker.log.of("cancelled")[0]?.fields).toMatchObject({ request_id: "request-1", model: "m" });
  });

  test("between the head and the first byte", async () => {
    await using rig = await startV2Rig();
    const attempt = rig.relay.request(rig.peer);
    const call = (await rig.backend.call()).sse();
    await rig.relay.about(rig.peer, "response_start", attempt);
    rig.peer.send({ type: "cancel", attempt });
    await until(() => call.isClosed, "the backend to see it");
    await rig.relay.about(rig.peer, "cancelled", attempt);
  });

  test("in the middle of a stream, after which nothing more is sent", async () => {
    await using rig = await startV2Rig();
    const attempt = rig.relay.request(rig.peer);
    const call = (await rig.backend.call()).sse();
    const flood = floodUntilClosed(call);
    await until(() => rig.relay.length(rig.peer, attempt) > 0, "bytes");
    rig.peer.send({ type: "cancel", attempt });
    await rig.relay.about(rig.peer, "cancelled", attempt);
    const frames = rig.peer.frames.length;
    await until(() => call.isClosed, "the backend to see it");
    await flood;
    rig.peer.send({ type: "ping" });
    await rig.peer.next("pong");
    expect(rig.peer.frames).toHaveLength(frames);
    expect(rig.peer.of("response_end")).toHaveLength(0);
  });

  test("while the stream waits for credit", async () => {
    await using rig = await startV2Rig({ relay: { isGenerous: false } });
    const attempt = rig.relay.request(rig.peer);
    const call = (await rig.backend.call()).head(200, "content-length: 9000000").write(Buffer.alloc(8_000_000));
    await until(() => rig.relay.length(rig.peer, attempt) === 262_144, "one window");
    rig.peer.send({ type: "cancel", attempt });
    await until(() => call.isClosed, "the backend to see it");
    await rig.relay.about(rig.peer, "cancelled", attempt);
  });

  test("when it is over already, or never was", async () => {
    await using rig = await startV2Rig({ backend: { onCall: (call) => call.json(200, {}) } });
    const attempt = rig.relay.request(rig.peer);
    await rig.relay.about(rig.peer, "response_end", attempt);
    for (const late of [attempt, 4_000_000_000]) {
      rig.peer.send({ type: "cancel", attempt: late });
      await rig.relay.about(rig.peer, "cancelled", late);
    }
    expect(rig.worker.log.of("cancelled")).toHaveLength(0);
  });

  test("ten times over with one slot, each followed at once by the next request", async () => {
    await using rig = await startV2Rig({ worker: { maxConcurrency: 1 } });
    for (let round = 0; round < 10; round++) {
      const attempt = rig.relay.request(rig.peer);
      const call = await rig.backend.call(round);
      rig.peer.send({ type: "cancel", attempt });
      await rig.relay.about(rig.peer, "cancelled", attempt);
      await until(() => call.isClosed, "the backend to see it");
    }
    expect(rig.peer.of("reject")).toHaveLength(0);
    await until(() => rig.backend.sockets.size === 0, "all connections to be gone");
  });
});

describe("[D5] v1: a cancel closes the backend's connection and is not answered", () => {
  test("before the backend has answered", async () => {
    await using rig = await startV1Rig();
    const request_id = rig.relay.request(rig.peer, { is_streaming: false });
    const call = await rig.backend.call();
    rig.peer.send({ type: "ping", timestamp_unix_ms: 1 });
    expect(await rig.peer.next("pong")).toEqual({ type: "pong", current_load: 1, timestamp_unix_ms: 1 });
    rig.peer.send({ type: "cancel", request_id, reason: "timeout" });
    rig.peer.send({ type: "ping", timestamp_unix_ms: 2 });
    expect(await rig.peer.next("pong", 1)).toEqual({ type: "pong", current_load: 0, timestamp_unix_ms: 2 });
    await until(() => call.isClosed, "the backend to see it");
    expect(rig.peer.messages.map(({ type }) => type)).toEqual(["register", "pong", "pong"]);
  });

  test("in the middle of a stream, and for a request it does not know", async () => {
    await using rig = await startV1Rig();
    const request_id = rig.relay.request(rig.peer);
    const call = (await rig.backend.call()).sse().chunk("data: 1\n\n");
    await rig.peer.next("response_chunk");
    rig.peer.send({ type: "cancel", request_id, reason: "client_disconnect" });
    rig.peer.send({ type: "cancel", request_id: "never was", reason: "client_disconnect" });
    await until(() => call.isClosed, "the backend to see it");
    rig.peer.send({ type: "ping" });
    await rig.peer.next("pong");
    expect(rig.peer.messages.map(({ type }) => type)).toEqual(["register", "response_chunk", "pong"]);
    expect(rig.worker.log.of("cancelled")).toHaveLength(1);
  });
});

/** Writes as long as somebody reads. */
async function floodUntilClosed(call: { readonly isClosed: boolean; chunk(text: string): unknown }): Promise<void> {
  while (!call.isClosed) {
    call.chunk("data: x\n\n");
    await turns();
  }
}
