// The daemon against a relay that speaks only v1.
import { describe, expect, test } from "bun:test";
import { until } from "../support/until.ts";
import { startV1Rig } from "./rig.ts";

test("[D2] a relay that echoes v1 is spoken to in v1", async () => {
  await using rig = await startV1Rig();
  await until(() => rig.worker.status().connection === "registered", "registration");
  expect(rig.worker.status().protocol).toBe("2026-04-bridge-v1");
});

describe("[D7]", () => {
  test("a stream becomes text chunks and ends with status, headers and an empty body", async () => {
    await using rig = await startV1Rig();
    const id = rig.relay.request(rig.peer, { body: '{"text":"é🦜"}', headers: { "x-a": "1" } });
    const call = await rig.backend.call();
    expect(call.body.toString()).toBe('{"text":"é🦜"}');
    expect(call.headers.get("x-a")).toBe("1");
    call.sse().chunk("data: 1\n\n");
    await until(() => rig.relay.text(rig.peer, id) === "data: 1\n\n", "the first event");
    call.chunk('data: {"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n').chunk("data: [DONE]\n\n").endChunks();
    expect(await rig.relay.complete(rig.peer, id)).toEqual({
      type: "response_complete",
      request_id: id,
      status_code: 200,
      headers: { "content-type": "text/event-stream" },
      body: "",
      token_counts: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
    });
    expect(rig.relay.text(rig.peer, id)).toEndWith("data: [DONE]\n\n");
    expect(rig.peer.frames).toHaveLength(0);
  });

  test("characters cut into single bytes are held back until they are whole", async () => {
    await using rig = await startV1Rig();
    const text = "data: 🦜🦜 é €\n\n";
    const id = rig.relay.request(rig.peer);
    const call = (await rig.backend.call()).sse();
    call.socket.setNoDelay(true);
    let whole = "";
    for (const character of text) {
      const bytes = Buffer.from(character);
      for (const byte of bytes) call.chunk(Uint8Array.of(byte));
      whole += character;
      await until(() => rig.relay.text(rig.peer, id) === whole, `"${whole}"`);
    }
    call.endChunks();
    await rig.relay.complete(rig.peer, id);
    for (const { chunk } of rig.peer.of("response_chunk")) expect(chunk).not.toContain("\uFFFD");
  });

  test("bytes that are no UTF-8 become replacement characters, which text frames cannot avoid", async () => {
    await using rig = await startV1Rig();
    const id = rig.relay.request(rig.peer);
    (await rig.backend.call())
      .sse()
      .chunk(Uint8Array.of(0x61, 0xff, 0x62, 0xf0, 0x9f))
      .endChunks();
    await rig.relay.complete(rig.peer, id);
    expect(rig.relay.text(rig.peer, id)).toBe("a\uFFFDb\uFFFD");
  });

  test("an answer that is not streamed comes whole", async () => {
    await using rig = await startV1Rig({ backend: { onCall: (call) => call.json(201, { text: "é" }, "x-a: 1", "x-a: 2") } });
    const id = rig.relay.request(rig.peer, { is_streaming: false });
    const complete = await rig.relay.complete(rig.peer, id);
    expect(complete).toMatchObject({
      status_code: 201,
      headers: { "content-type": "application/json", "x-a": "1, 2" },
      body: '{"text":"é"}',
    });
    expect(rig.peer.of("response_chunk")).toHaveLength(0);
  });

  test("a failed answer to a streaming request has no chunks, but its status, headers and body", async () => {
    await using rig = await startV1Rig({ backend: { onCall: (call) => call.json(429, { error: "busy" }, "retry-after: 3") } });
    const id = rig.relay.request(rig.peer);
    const complete = await rig.relay.complete(rig.peer, id);
    expect(complete).toMatchObject({ status_code: 429, headers: { "retry-after": "3" }, body: '{"error":"busy"}' });
    expect(rig.peer.of("response_chunk")).toHaveLength(0);
  });
});

test("[D6] a request beyond the slots, or while the worker drains, is answered 503", async () => {
  await using rig = await startV1Rig({ worker: { maxConcurrency: 1 } });
  const running = rig.relay.request(rig.peer);
  const call = await rig.backend.call();
  const full = await rig.relay.complete(rig.peer, rig.relay.request(rig.peer));
  expect([full["status_code"], JSON.parse(String(full["body"])).error.code]).toEqual([503, "overloaded"]);
  rig.worker.drain();
  await rig.peer.next("models_update");
  const late = await rig.relay.complete(rig.peer, rig.relay.request(rig.peer, { endpoint_path: "/v1/messages" }));
  expect([late["status_code"], JSON.parse(String(late["body"])).type]).toEqual([503, "error"]);
  call.json(200, {});
  await rig.relay.complete(rig.peer, running);
});

describe("[D9] v1: a backend that fails", () => {
  test("before it answers is a 502 in the dialect of the route", async () => {
    await using rig = await startV1Rig({ backend: { onCall: (call) => call.reset() } });
    for (const [endpoint_path, type] of [
      ["/v1/messages", "api_error"],
      ["/v1/chat/completions", "server_error"],
    ] as const) {
      const complete = await rig.relay.complete(rig.peer, rig.relay.request(rig.peer, { endpoint_path }));
      expect(complete).toMatchObject({ status_code: 502, headers: { "content-type": "application/json" } });
      expect(JSON.parse(String(complete["body"])).error.type).toBe(type);
    }
    expect(rig.peer.of("response_chunk")).toHaveLength(0);
    expect(rig.peer.of("error")).toHaveLength(0);
  });

  test("in the middle of a whole answer is a 502", async () => {
    await using rig = await startV1Rig({ backend: { onCall: (call) => call.head(200, "content-length: 100").write("half").hangUp() } });
    const complete = await rig.relay.complete(rig.peer, rig.relay.request(rig.peer, { is_streaming: false }));
    expect(complete["status_code"]).toBe(502);
    expect(complete["body"]).not.toContain("half");
  });

  const dialects: Readonly<Record<string, string>> = {
    "/v1/chat/completions": '\n\ndata: {"error":{"message":',
    "/v1/messages": '\n\nevent: error\ndata: {"type":"error","error":{"type":"api_error"',
    "/v1/responses": '\n\nevent: response.failed\ndata: {"type":"response.failed","response":{',
  };
  for (const [endpoint_path, event] of Object.entries(dialects)) {
    test(`in the middle of a stream of ${endpoint_path} ends it with an error event of its own`, async () => {
      await using rig = await startV1Rig({ backend: { onCall: (call) => void call.sse().chunk("data: 1\n\n").chunk("data: ha") } });
      const request_id = rig.relay.request(rig.peer, { endpoint_path });
      await until(() => rig.relay.text(rig.peer, request_id).endsWith("data: ha"), "half an event");
      rig.backend.calls[0]!.reset();
      await rig.relay.complete(rig.peer, request_id);
      const order = rig.peer.messages.map(({ type }) => type).slice(-3);
      expect(order).toEqual(["response_chunk", "error", "response_complete"]);
      expect(rig.relay.text(rig.peer, request_id)).toStartWith(`data: 1\n\ndata: ha${event}`);
      expect(rig.relay.text(rig.peer, request_id)).toEndWith("\n\n");
      expect(rig.peer.of("error")[0]).toMatchObject({ request_id, code: "backend_error" });
    });
  }

  test("leaves the other requests of the worker alone", async () => {
    await using rig = await startV1Rig();
    const good = rig.relay.request(rig.peer);
    const bad = rig.relay.request(rig.peer);
    const [first, second] = [await rig.backend.call(0), await rig.backend.call(1)];
    first.sse().chunk("data: 1\n\n");
    second.write("no HTTP at all\r\n\r\n").hangUp();
    expect((await rig.relay.complete(rig.peer, bad))["status_code"]).toBe(502);
    first.chunk("data: [DONE]\n\n").endChunks();
    expect((await rig.relay.complete(rig.peer, good))["status_code"]).toBe(200);
  });
});

test("[D12] v1: a path that is no inference endpoint never reaches the backend", async () => {
  await using rig = await startV1Rig();
  const complete = await rig.relay.complete(rig.peer, rig.relay.request(rig.peer, { endpoint_path: "/api/delete" }));
  expect(complete["status_code"]).toBe(502);
  expect(rig.backend.sockets.size).toBe(0);
});

describe("[D22] v1: the connection is closed with 1002 for", () => {
  test("a binary frame", async () => {
    await using rig = await startV1Rig();
    await until(() => rig.worker.status().connection === "registered", "registration");
    rig.peer.sendRaw(Uint8Array.of(1, 0, 0, 0, 1));
    await until(() => rig.peer.closed?.code === 1002, "the close");
    await rig.relay.peer(1);
  });

  test("a known type with wrong fields", async () => {
    await using rig = await startV1Rig();
    rig.peer.send({ type: "request", request_id: 5 });
    await until(() => rig.peer.closed?.code === 1002, "the close");
  });

  test("nothing it merely does not know", async () => {
    await using rig = await startV1Rig();
    rig.peer.send({ type: "credit", attempt: 1, bytes: 1 });
    rig.peer.send({ type: "ping" });
    await rig.peer.next("pong");
    expect(rig.worker.status().unknownMessages).toBe(1);
  });
});
