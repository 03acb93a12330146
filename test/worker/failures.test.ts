// Every way a backend fails, told apart for the relay: what was never processed may be tried elsewhere, what began may not.
import { describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import type { BackendCall } from "../support/scripted-backend.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { until } from "../support/until.ts";
import { startV2Rig } from "./rig.ts";
import { startTestWorker } from "../support/running-worker.ts";
import { V2Relay } from "../support/v2-relay.ts";

/** `isReset`: the backend resets the connection once the relay has got the start of the answer. */
type Failure = readonly [kind: string, hasStarted: boolean, answer: (call: BackendCall) => void, isReset?: boolean];

const sse = "content-type: text/event-stream";
const half = gzipSync("data: something that is longer than its half\n\n").subarray(0, 20);

const FAILURES: Readonly<Record<string, Failure>> = {
  "closed before a status line": ["dropped", false, (call) => call.hangUp()],
  "reset before a status line": ["dropped", false, (call) => call.reset()],
  "closed within the status line": ["dropped", false, (call) => call.write("HTTP/1.1 20").hangUp()],
  "closed within the headers": ["dropped", false, (call) => call.write("HTTP/1.1 200 OK\r\nconte").hangUp()],
  "not HTTP": ["broken", false, (call) => call.write("SSH-2.0-x\r\n\r\n").hangUp()],
  "a status out of range": ["broken", false, (call) => call.head(999, "content-length: 0").hangUp()],
  "an upgrade nobody asked for": ["broken", false, (call) => call.head(101, "upgrade: x", "connection: upgrade").hangUp()],
  "an encoding nobody knows": ["broken", false, (call) => call.head(200, "content-encoding: x", "content-length: 0").hangUp()],
  "headers beyond 32 KiB": ["too_large", false, (call) => call.head(200, `x-a: ${"a".repeat(40_000)}`, "content-length: 0").hangUp()],
  "shorter than its content-length": ["broken", true, (call) => call.head(200, "content-length: 9").write("1234").hangUp()],
  "reset within its content-length": ["broken", true, (call) => void call.head(200, "content-length: 9").write("1234"), true],
  "chunks without their end": ["broken", true, (call) => call.sse().chunk("data: 1\n\n").hangUp()],
  "reset between chunks": ["broken", true, (call) => void call.sse().chunk("data: 1\n\n"), true],
  "chunks that are none": ["broken", true, (call) => call.sse().write("zz\r\n").hangUp()],
  "compression broken off": ["broken", true, (call) => call.head(200, "content-encoding: gzip", "content-length: 20").write(half).hangUp()],
  "compression that is none": [
    "broken",
    true,
    (call) => call.head(200, "content-encoding: gzip", "content-length: 9").write("not gzip!").hangUp(),
  ],
  "an event stream closed without its end": ["broken", true, (call) => call.head(200, sse).write("data: 1\n\n").hangUp()],
  "an endless answer reset": ["broken", true, (call) => void call.head(200, "content-type: text/plain").write("data"), true],
};

describe("[D9]", () => {
  for (const [name, [kind, hasStarted, answer, isReset = false]] of Object.entries(FAILURES)) {
    test(`${name} is ${kind}`, async () => {
      await using rig = await startV2Rig({ backend: { onCall: answer } });
      const attempt = rig.relay.request(rig.peer, { request_id: "the-request" });
      if (isReset) {
        await until(() => rig.relay.length(rig.peer, attempt) > 0, "the start of the answer");
        rig.backend.calls[0]!.reset();
      }
      const end = await rig.relay.about(rig.peer, "response_end", attempt);
      expect(end["error"]).toMatchObject({ kind });
      expect(rig.peer.of("response_start")).toHaveLength(hasStarted ? 1 : 0);
      expect(rig.worker.log.of("backend error")[0]?.fields).toMatchObject({ request_id: "the-request", model: "m", kind });
      expect(rig.worker.status().active).toBe(0);
      await until(() => rig.backend.sockets.size === 0, "the connection to be gone");
    });
  }

  test("a port nobody listens on is connection_refused", async () => {
    await using relay = new V2Relay();
    await using worker = startTestWorker({ relay, backend: { url: new URL("http://127.0.0.1:1") } });
    const peer = await relay.peer();
    const end = await relay.about(peer, "response_end", relay.request(peer));
    expect(end["error"]).toEqual({ kind: "connection_refused", message: "ECONNREFUSED" });
    expect(worker.log.of("backend error")).toHaveLength(1);
  });

  test("a host nobody knows is connection_refused", async () => {
    await using relay = new V2Relay();
    await using worker = startTestWorker({ relay, backend: { url: new URL("http://backend.invalid") } });
    const peer = await relay.peer();
    expect((await relay.about(peer, "response_end", relay.request(peer)))["error"]).toMatchObject({ kind: "connection_refused" });
    expect(worker.status().active).toBe(0);
  });

  test("a TLS handshake that does not come about is connection_refused", async () => {
    await using rig = await startV2Rig();
    await using relay = new V2Relay();
    const url = new URL(rig.backend.url);
    url.protocol = "https:";
    await using worker = startTestWorker({ relay, backend: { url } });
    const peer = await relay.peer();
    const attempt = relay.request(peer);
    await until(() => rig.backend.sockets.size === 1, "the connection");
    for (const socket of rig.backend.sockets) socket.destroy();
    expect((await relay.about(peer, "response_end", attempt))["error"]).toMatchObject({ kind: "connection_refused" });
    expect(worker.status().active).toBe(0);
  });

  test("a connection that does not stand within 10 s is connection_refused, and given up", async () => {
    const clock = new ManualClock();
    await using rig = await startV2Rig();
    await using relay = new V2Relay();
    const url = new URL(rig.backend.url);
    url.protocol = "https:";
    // A server that never answers the TLS handshake keeps the connection from standing.
    await using worker = startTestWorker({ relay, backend: { url } }, { clock });
    const peer = await relay.peer();
    const attempt = relay.request(peer);
    await until(() => rig.backend.sockets.size === 1, "the connection");
    clock.advance(10_000);
    const end = await relay.about(peer, "response_end", attempt);
    expect(end["error"]).toEqual({ kind: "connection_refused", message: "connect timeout" });
    await until(() => rig.backend.sockets.size === 0, "the connection to be gone");
    expect(worker.status().connection).toBe("registered");
  });

  test("a first byte may take as long as it likes", async () => {
    const clock = new ManualClock();
    await using rig = await startV2Rig({ world: { clock } });
    const attempt = rig.relay.request(rig.peer);
    const call = await rig.backend.call();
    for (let minute = 0; minute < 60; minute++) {
      clock.advance(60_000);
      rig.peer.send({ type: "ping" });
      await rig.peer.next("pong", minute);
    }
    call.json(200, {});
    expect((await rig.relay.about(rig.peer, "response_end", attempt))["error"]).toBeUndefined();
  });
});

describe("[D11] an answer that only the closed connection ends is complete", () => {
  const complete: Readonly<Record<string, (call: BackendCall) => void>> = {
    "when it is an event stream with its terminator": (call) => call.head(200, sse).write("data: 1\n\ndata: [DONE]\n\n").hangUp(),
    "when it is no event stream": (call) => call.head(200, "content-type: application/json").write("{}").hangUp(),
  };
  for (const [name, answer] of Object.entries(complete)) {
    test(name, async () => {
      await using rig = await startV2Rig({ backend: { onCall: answer } });
      expect((await rig.relay.about(rig.peer, "response_end", rig.relay.request(rig.peer)))["error"]).toBeUndefined();
    });
  }
});

test("[D10] one request's failure touches no other", async () => {
  await using rig = await startV2Rig();
  const attempts = [1, 2, 3].map(() => rig.relay.request(rig.peer));
  const streaming = await rig.backend.call(0);
  const waiting = await rig.backend.call(1);
  const failing = await rig.backend.call(2);
  streaming.sse().chunk("data: 1\n\n");
  failing.write("no HTTP\r\n\r\n").reset();
  await until(() => rig.peer.of("response_end").length === 1, "the failure");
  streaming.chunk("data: 2\n\n").endChunks();
  waiting.json(200, {});
  await until(() => rig.peer.of("response_end").length === 3, "the others");
  expect(rig.peer.of("response_end").filter((end) => end["error"] !== undefined)).toHaveLength(1);
  // Which attempt's connection the backend saw first is nobody's promise.
  const lengths = attempts.map((attempt) => rig.relay.length(rig.peer, attempt));
  expect(lengths.sort((a, b) => a - b)).toEqual([0, 2, 18]);
  expect(rig.peer.closed).toBeNull();
});
