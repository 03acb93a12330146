// The daemon against a relay that speaks v2.
import { expect, test } from "bun:test";
import { startTestWorker } from "../support/running-worker.ts";
import { startScriptedBackend } from "../support/scripted-backend.ts";
import { V2Relay } from "../support/v2-relay.ts";

test("[D3] an event stream passes byte for byte, its head before its body", async () => {
  await using backend = await startScriptedBackend();
  await using relay = new V2Relay();
  await using worker = startTestWorker({ relay, backend });
  const peer = await relay.peer();
  const attempt = relay.request(peer, { body: '{"model":"m","stream":true}' });
  const call = await backend.call();
  expect(call.body.toString()).toBe('{"model":"m","stream":true}');
  call.sse();
  const start = await relay.about(peer, "response_start", attempt);
  expect(start).toMatchObject({ status_code: 200, headers: { "content-type": "text/event-stream" } });
  call.chunk("data: 1\n\n").chunk("data: [DONE]\n\n").endChunks();
  expect(await relay.about(peer, "response_end", attempt)).toEqual({ type: "response_end", attempt });
  expect(relay.body(peer, attempt).toString()).toBe("data: 1\n\ndata: [DONE]\n\n");
  expect(worker.status()).toMatchObject({ connection: "registered", active: 0 });
});
