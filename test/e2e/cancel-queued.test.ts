// A client that hangs up while its request waits.
import { expect, test } from "bun:test";
import { hangBeforeHeaders } from "../support/fake-backend-answers.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { startWholePath } from "../support/whole-path.ts";

test("[C1] a client that hangs up while it waits is gone at once, and its request never reaches a backend", async () => {
  await using path = await startWholePath(hangBeforeHeaders());
  const { relay, backend } = path;
  const running = new AbortController();
  const first = relay.post("/v1/chat/completions", { model: "m" }, { signal: running.signal }).catch(() => null);
  await backend.nextExchange();
  const waiting = new AbortController();
  const second = relay.post("/v1/chat/completions", { model: "m", n: 2 }, { signal: waiting.signal }).catch(() => null);
  await relay.requests(2);
  expect(relay.hub.queueDepth).toBe(1);
  waiting.abort();
  await second;
  await relay.requests(1);
  expect(relay.hub.queueDepth).toBe(0);
  running.abort();
  await first;
  await path.idle();
  expect(backend.requests.filter((request) => request.path === "/v1/chat/completions")).toHaveLength(1);
});

test("[C1] the same when the connection is reset, or closed in the orderly way", async () => {
  await using relay = startTestRelay();
  for (const hangUp of ["cut", "close"] as const) {
    using client = await RawClient.connect(relay);
    client.post("/v1/messages", { model: "m", stream: true });
    await relay.requests(1);
    client[hangUp]();
    await relay.requests(0);
  }
  expect(relay.hub.bodies.heldBytes).toBe(0);
  expect(relay.hub.counters.byOutcome.get("client_left")).toBe(2);
});
