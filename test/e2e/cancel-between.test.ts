// A client that hangs up while its request is between two workers: requeued, or waiting for a worker that reconnects.
import { expect, test } from "bun:test";
import { hangBeforeHeaders, inTurn, politely } from "../support/fake-backend-answers.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { startV2Worker } from "../support/v2-worker.ts";
import { startWholePath } from "../support/whole-path.ts";
import { turns, until } from "../support/until.ts";

test("[C1] [R1] a client that hangs up after its worker was lost is not served by the next one", async () => {
  await using relay = startTestRelay();
  await using first = await startV2Worker(relay);
  const abort = new AbortController();
  const response = relay.post("/v1/chat/completions", { model: "m" }, { signal: abort.signal }).catch(() => null);
  await first.nextJob();
  first.cut();
  await until(() => relay.hub.queueDepth === 1, "the request is back in the queue");
  abort.abort();
  await response;
  await relay.requests(0);
  await using second = await startV2Worker(relay);
  await turns(5);
  expect(second.jobs).toHaveLength(0);
});

test("[C2] a client that hangs up just after its request moved to another worker", async () => {
  await using relay = startTestRelay();
  await using first = await startV2Worker(relay, { slots: 1 });
  const abort = new AbortController();
  const response = relay.post("/v1/chat/completions", { model: "m" }, { signal: abort.signal }).catch(() => null);
  const job = await first.nextJob();
  await using second = await startV2Worker(relay, { slots: 1 });
  job.end("dropped");
  const moved = await second.nextJob();
  abort.abort();
  await response;
  await second.next("cancel");
  expect(moved.isCancelled).toBe(true);
  expect(first.of("cancel")).toHaveLength(0);
  await relay.requests(0);
});

test("[C2] [W2] the real worker's connection breaks while it works, the client leaves, the worker comes back: its slot is free", async () => {
  await using path = await startWholePath(inTurn(hangBeforeHeaders(), politely(["m"])));
  const { relay, backend } = path;
  const abort = new AbortController();
  const response = relay.post("/v1/chat/completions", { model: "m" }, { signal: abort.signal }).catch(() => null);
  const exchange = await backend.nextExchange();
  const [connected] = relay.hub.fleet.workers.values();
  connected?.handle.close({ code: 1011, reason: "cut by the test" });
  await until(() => relay.hub.queueDepth === 1, "the request is back in the queue");
  abort.abort();
  await response;
  await exchange.closedByPeer;
  await until(() => relay.log.of("worker registered").length === 2, "the worker is back");
  expect((await relay.post("/v1/chat/completions", { model: "m" })).status).toBe(200);
  expect(relay.hub.fleet.workers.size).toBe(1);
});
