// The daemon against a relay that speaks only v1.
import { expect, test } from "bun:test";
import { startTestWorker } from "../support/running-worker.ts";
import { startScriptedBackend } from "../support/scripted-backend.ts";
import { V1Relay } from "../support/v1-relay.ts";

test("[D7] a stream becomes text chunks and ends with status, headers and an empty body", async () => {
  await using backend = await startScriptedBackend();
  await using relay = new V1Relay();
  await using _worker = startTestWorker({ relay, backend });
  const peer = await relay.peer();
  const id = relay.request(peer);
  const call = await backend.call();
  call.sse().chunk("data: 1\n\n").chunk("data: [DONE]\n\n").endChunks();
  const complete = await relay.complete(peer, id);
  expect(complete).toMatchObject({ status_code: 200, headers: { "content-type": "text/event-stream" }, body: "" });
  expect(relay.text(peer, id)).toBe("data: 1\n\ndata: [DONE]\n\n");
});
