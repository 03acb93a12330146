// A cancel nobody accounts for: after 10 s the worker loses its connection rather than its slot for good.
import { expect, test } from "bun:test";
import { ManualClock } from "../support/manual-clock.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { startV1Worker } from "../support/v1-worker.ts";
import { startV2Worker } from "../support/v2-worker.ts";

test("[C3] a v2 worker that never acknowledges is closed, and its other requests go elsewhere", async () => {
  const clock = new ManualClock();
  await using relay = startTestRelay({}, { clock });
  await using worker = await startV2Worker(relay, { slots: 2, answersCancels: false });
  const abort = new AbortController();
  const cancelled = relay.post("/v1/chat/completions", { model: "m" }, { signal: abort.signal }).catch(() => null);
  await worker.nextJob();
  const other = relay.post("/v1/chat/completions", { model: "m" });
  await worker.nextJob();
  abort.abort();
  await cancelled;
  await worker.next("cancel");
  clock.advance(9_999);
  expect(relay.hub.fleet.workers.size).toBe(1);
  clock.advance(1);
  expect(await worker.closedByRelay()).toEqual({ code: 1011, reason: "worker did not stop a cancelled request" });
  await using second = await startV2Worker(relay);
  (await second.nextJob()).answer();
  expect((await other).headers.get("x-modelrelay-attempts")).toBe("2");
});

test("[C3] [L6] a v1 worker whose pongs count the request for ever is closed too", async () => {
  const clock = new ManualClock();
  await using relay = startTestRelay({}, { clock });
  await using worker = await startV1Worker(relay, { slots: 1, slowAborts: Infinity });
  const abort = new AbortController();
  const cancelled = relay.post("/v1/chat/completions", { model: "m" }, { signal: abort.signal }).catch(() => null);
  await worker.nextJob();
  abort.abort();
  await cancelled;
  await worker.next("cancel");
  clock.advance(10_000);
  expect((await worker.closedByRelay()).code).toBe(1011);
});
