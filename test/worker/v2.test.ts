// The daemon against a relay that speaks v2: registration, and answers as they should be.
import { describe, expect, test } from "bun:test";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { until } from "../support/until.ts";
import { startV2Rig } from "./rig.ts";

test("[D1] the connection is made with the secret in a header and the provider in the query", async () => {
  await using rig = await startV2Rig({ worker: { provider: "local" } });
  expect(rig.peer.url.pathname + rig.peer.url.search).toBe("/v1/worker/connect?provider=local");
  expect(rig.peer.headers.get("x-worker-secret")).toBe("test-secret");
  expect(rig.worker.log.of("connected to proxy")).toHaveLength(1);
});

test("[D2] the worker registers as v1 and offers v2", async () => {
  await using rig = await startV2Rig({ relay: { warnings: ["careful"] } });
  expect(await rig.peer.next("register")).toMatchObject({
    protocol_version: "2026-04-bridge-v1",
    protocols: ["2026-11-bridge-v2"],
    worker_name: "box",
    models: ["m"],
    unlisted_models: [],
    max_concurrent: 4,
    current_load: 0,
    instance_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
  });
  await until(() => rig.worker.status().connection === "registered", "registration");
  expect(rig.worker.status().protocol).toBe("2026-11-bridge-v2");
  expect(rig.worker.log.of("registered")).toHaveLength(1);
  expect(rig.worker.log.of("relay changed the registration")[0]?.fields["warning"]).toBe("careful");
});

test("[D3] an event stream passes byte for byte, its head before its body", async () => {
  await using rig = await startV2Rig();
  const { relay, peer, backend } = rig;
  const attempt = relay.request(peer, { body: '{"model":"m","stream":true}', path: "/v1/messages?beta=true", headers: { "x-a": "1" } });
  const call = await backend.call();
  expect(call.path).toBe("/v1/messages?beta=true");
  expect(call.body.toString()).toBe('{"model":"m","stream":true}');
  expect(call.headers.get("x-a")).toBe("1");
  expect(call.headers.get("accept-encoding")).toBe("identity");
  call.sse();
  const start = await relay.about(peer, "response_start", attempt);
  expect(start).toMatchObject({ status_code: 200, headers: { "content-type": "text/event-stream" } });
  call.chunk("data: 1\n\n");
  await until(() => relay.body(peer, attempt).toString() === "data: 1\n\n", "the first event");
  call.chunk("data: [DONE]\n\n").endChunks();
  expect(await relay.about(peer, "response_end", attempt)).toEqual({ type: "response_end", attempt });
  expect(relay.body(peer, attempt).toString()).toBe("data: 1\n\ndata: [DONE]\n\n");
  expect(rig.worker.status()).toMatchObject({ connection: "registered", active: 0 });
});

test("[D3] characters cut into single bytes, and bytes that are no text, arrive as they were sent", async () => {
  await using rig = await startV2Rig();
  const { relay, peer, backend } = rig;
  const bytes = Buffer.concat([Buffer.from("data: 🦜🦜 é\n\n"), Buffer.from([0xff, 0xfe, 0x80, 0x00, 0xf0, 0x9f])]);
  const attempt = relay.request(peer);
  const call = await backend.call();
  call.socket.setNoDelay(true);
  call.sse();
  for (const [index, byte] of bytes.entries()) {
    call.chunk(Uint8Array.of(byte));
    await until(() => relay.length(peer, attempt) > index, "the byte");
  }
  call.endChunks();
  await relay.about(peer, "response_end", attempt);
  expect(relay.body(peer, attempt).equals(bytes)).toBe(true);
});

test("[D3] statuses, redirects included, and errors pass as they are", async () => {
  await using rig = await startV2Rig({
    backend: { onCall: (call) => call.json(Number(call.body.toString()), { error: 1 }, "location: http://x/") },
  });
  for (const status of [200, 302, 400, 429, 500, 503, 599]) {
    const attempt = rig.relay.request(rig.peer, { body: `${status}` });
    expect((await rig.relay.about(rig.peer, "response_start", attempt))["status_code"]).toBe(status);
    expect((await rig.relay.about(rig.peer, "response_end", attempt))["error"]).toBeUndefined();
    expect(rig.relay.body(rig.peer, attempt).toString()).toBe('{"error":1}');
  }
  expect(rig.backend.calls).toHaveLength(7);
});

describe("[D13]", () => {
  const encoders = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync, zstd: zstdCompressSync };
  for (const [encoding, encode] of Object.entries(encoders)) {
    test(`an answer in ${encoding}, which was not asked for, is undone`, async () => {
      const body = encode('{"usage":{"prompt_tokens":1,"completion_tokens":2}}');
      await using rig = await startV2Rig({
        backend: {
          onCall: (call) => call.head(200, `content-encoding: ${encoding}`, `content-length: ${body.byteLength}`).write(body).hangUp(),
        },
      });
      const attempt = rig.relay.request(rig.peer);
      const end = await rig.relay.about(rig.peer, "response_end", attempt);
      expect(end["error"]).toBeUndefined();
      expect(end["token_counts"]).toEqual({ prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 });
      expect((await rig.relay.about(rig.peer, "response_start", attempt))["headers"]).toEqual({});
      expect(rig.relay.body(rig.peer, attempt).toString()).toContain('"prompt_tokens":1');
    });
  }

  test("the backend's own key is added, whatever the relay sent", async () => {
    await using rig = await startV2Rig({ worker: { backendApiKey: "backend-key" } });
    rig.relay.request(rig.peer, { headers: { authorization: "Bearer client", "x-api-key": "client" } });
    const { headers } = await rig.backend.call();
    expect(headers.get("authorization")).toBe("Bearer backend-key");
    expect(headers.has("x-api-key")).toBe(false);
  });
});

test("[D12] a path that is no inference endpoint never reaches the backend", async () => {
  await using rig = await startV2Rig();
  for (const path of ["/api/delete", "//evil.example/v1/messages", "/v1/chat/completions/../../admin"]) {
    const attempt = rig.relay.request(rig.peer, { path });
    expect((await rig.relay.about(rig.peer, "response_end", attempt))["error"]).toMatchObject({ kind: "broken" });
  }
  expect(rig.backend.sockets.size).toBe(0);
});

test("[D22] messages of unknown types and fields are ignored and counted", async () => {
  await using rig = await startV2Rig();
  rig.peer.send({ type: "brand_new", x: 1 });
  rig.peer.send({ type: "ping", timestamp_unix_ms: 5, novelty: true });
  expect(await rig.peer.next("pong")).toEqual({ type: "pong", current_load: 0, timestamp_unix_ms: 5 });
  expect(rig.worker.status().unknownMessages).toBe(1);
  expect(rig.peer.closed).toBeNull();
});

describe("[D22] the connection is closed for", () => {
  const frame = (kind: number, attempt: number, bytes: number): Uint8Array => {
    const made = Buffer.alloc(5 + bytes);
    made[0] = kind;
    made.writeUInt32BE(attempt, 1);
    return made;
  };
  const offences: Readonly<Record<string, readonly [number, string | Uint8Array]>> = {
    "a frame that is not JSON": [1002, "{"],
    "a known type with wrong fields": [1002, '{"type":"request","attempt":"1"}'],
    "an attempt number out of range": [1002, '{"type":"cancel","attempt":4294967296}'],
    "a body frame of an unknown kind": [1002, frame(9, 1, 1)],
    "a response body": [1002, frame(2, 1, 1)],
    "a body frame that is too short": [1002, Uint8Array.of(1, 0)],
    "a body frame that is too long": [1002, frame(1, 1, 256 * 1_024 + 1)],
    "a text frame that is too long": [1009, JSON.stringify({ type: "x", y: "z".repeat(1_048_576) })],
  };
  for (const [name, [code, data]] of Object.entries(offences)) {
    test(name, async () => {
      await using rig = await startV2Rig();
      rig.peer.sendRaw(data);
      await until(() => rig.peer.closed !== null, "the close");
      expect(rig.peer.closed!.code).toBe(code);
      await rig.relay.peer(1);
    });
  }

  test("more body than was announced", async () => {
    await using rig = await startV2Rig();
    rig.relay.request(rig.peer, { body: "12345", body_length: 4 });
    await until(() => rig.peer.closed !== null, "the close");
    expect(rig.peer.closed!.code).toBe(1002);
    expect(rig.backend.calls).toHaveLength(0);
  });

  test("an attempt number that is in use", async () => {
    await using rig = await startV2Rig();
    rig.relay.request(rig.peer, { attempt: 7 });
    rig.relay.request(rig.peer, { attempt: 7 });
    await until(() => rig.peer.closed !== null, "the close");
    expect(rig.peer.closed!.code).toBe(1002);
  });
});

test("[D22] late body frames and credit for attempts that are over are ignored", async () => {
  await using rig = await startV2Rig();
  rig.relay.sendBody(rig.peer, 99, Buffer.from("late"));
  rig.peer.send({ type: "credit", attempt: 99, bytes: 10 });
  rig.peer.send({ type: "ping" });
  expect(await rig.peer.next("pong")).toEqual({ type: "pong", current_load: 0 });
});

describe("[D6]", () => {
  test("requests beyond the slots are rejected as full, and a freed slot is usable at once", async () => {
    await using rig = await startV2Rig({ worker: { maxConcurrency: 2 } });
    const { relay, peer, backend } = rig;
    const first = relay.request(peer);
    relay.request(peer);
    expect(await relay.about(peer, "reject", relay.request(peer))).toMatchObject({ reason: "full" });
    peer.send({ type: "ping" });
    expect((await peer.next("pong"))["current_load"]).toBe(2);
    (await backend.call(0)).json(200, {});
    await relay.about(peer, "response_end", first);
    relay.request(peer);
    await backend.call(2);
    expect(peer.of("reject")).toHaveLength(1);
  });

  test("fewer slots granted than asked for are the limit", async () => {
    await using rig = await startV2Rig({ relay: { slots: 1 } });
    rig.relay.request(rig.peer);
    expect(await rig.relay.about(rig.peer, "reject", rig.relay.request(rig.peer))).toMatchObject({ reason: "full" });
  });

  test("more slots granted than asked for change nothing", async () => {
    await using rig = await startV2Rig({ relay: { slots: 100 }, worker: { maxConcurrency: 1 } });
    rig.relay.request(rig.peer);
    expect(await rig.relay.about(rig.peer, "reject", rig.relay.request(rig.peer))).toMatchObject({ reason: "full" });
  });
});

test("[D25] the log names requests and models, and holds no body, header or credential", async () => {
  await using rig = await startV2Rig({
    worker: { workerSecret: "canary-secret", backendApiKey: "canary-backend" },
    backend: {
      onCall: (call) => (call.path === "/v1/messages" ? call.reset() : call.json(200, { text: "canary-answer" }, "x-a: canary-header")),
    },
  });
  const headers = { authorization: "Bearer canary-client", "x-b": "canary-request-header" };
  const answered = rig.relay.request(rig.peer, { body: "canary-body", headers, request_id: "id-1", path: "/v1/responses?canary-query" });
  await rig.relay.about(rig.peer, "response_end", answered);
  const dropped = rig.relay.request(rig.peer, { path: "/v1/messages", request_id: "id-2", model: "m2" });
  await rig.relay.about(rig.peer, "response_end", dropped);
  expect(rig.worker.log.of("forwarding request")[0]?.fields).toMatchObject({ request_id: "id-1", model: "m", path: "/v1/responses" });
  expect(rig.worker.log.of("backend error")[0]?.fields).toMatchObject({ request_id: "id-2", model: "m2", kind: "dropped" });
  expect(JSON.stringify(rig.worker.log.lines)).not.toContain("canary");
});
