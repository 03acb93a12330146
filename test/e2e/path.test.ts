// The whole way, once: client, relay, worker, backend and back.
import { expect, test } from "bun:test";
import { startFakeBackend } from "../support/fake-backend.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { startTestWorker } from "../support/running-worker.ts";

test("[H1] [H3] a request reaches the backend as it was sent, and its answer comes back", async () => {
  const backend = startFakeBackend();
  await using relay = startTestRelay();
  await using _worker = startTestWorker({ relay, backend: { url: new URL(backend.url) } });
  await relay.workers(1);
  const sent = '{ "model":"m",  "messages":[{"role":"user","content":"grüße 🚀"}], "unknown": [1,2] }';
  const response = await fetch(relay.at("/v1/chat/completions?beta=true"), { method: "POST", body: sent });
  expect(response.status).toBe(200);
  expect(await response.json()).toHaveProperty("choices");
  const received = backend.requests.find((request) => request.path === "/v1/chat/completions?beta=true");
  expect(received === undefined ? null : Buffer.from(received.body).toString()).toBe(sent);
  await backend.stop();
});
