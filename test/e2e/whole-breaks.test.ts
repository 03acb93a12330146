// A whole answer that breaks off before it was passed on is a status of its own; one too large to be held back is cut.
import { expect, test } from "bun:test";
import {
  closeSilently,
  garbage,
  listing,
  partOfStatusLine,
  redirect,
  resetSilently,
  truncatedBody,
} from "../support/fake-backend-answers.ts";
import type { Answer } from "../support/fake-backend-exchange.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { until } from "../support/until.ts";
import { startV2Worker } from "../support/v2-worker.ts";
import { startWholePath } from "../support/whole-path.ts";

const FAILURES: ReadonlyMap<string, Answer> = new Map([
  ["breaks off in its body", truncatedBody(`{"text":"${"x".repeat(50_000)}"}`, 20_000)],
  ["closes without a byte", closeSilently()],
  ["resets without a byte", resetSilently()],
  ["dies in its status line", partOfStatusLine()],
  ["speaks no HTTP", garbage()],
  ["redirects", redirect("http://example.invalid/")],
]);

for (const [how, answer] of FAILURES) {
  for (const stream of [false, true]) {
    test(`[T5] [H8] a backend that ${how} is a 502 (stream: ${stream})`, async () => {
      await using path = await startWholePath(listing(["m"], answer));
      const response = await path.relay.post("/v1/chat/completions", { model: "m", stream });
      // What is no event stream passes as it comes when it was asked for as a stream: then the connection breaks.
      const isCut = stream && how === "breaks off in its body";
      if (isCut) {
        expect(response.status).toBe(200);
        expect(await response.text().catch(() => "cut")).toBe("cut");
      } else {
        expect(response.status).toBe(502);
        expect(response.headers.get("location")).toBeNull();
        expect(await response.json()).toMatchObject({ error: { code: "backend_error", type: "server_error" } });
      }
      await path.idle();
      expect(path.relay.hub.fleet.workers.size).toBe(1);
    });
  }
}

test("[T5] [H10] in the Anthropic shape on its routes", async () => {
  await using path = await startWholePath(listing(["m"], truncatedBody("{}".repeat(100), 20)));
  const response = await path.relay.post("/v1/messages", { model: "m" }, { headers: { "x-request-id": "abc" } });
  expect(response.status).toBe(502);
  expect(await response.json()).toMatchObject({ type: "error", error: { type: "api_error" }, request_id: "abc" });
});

test("[T5] a whole answer larger than what is held back is cut off when it breaks", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { slots: 1 });
  using client = await RawClient.connect(relay);
  client.post("/v1/chat/completions", { model: "m" });
  const job = await worker.nextJob();
  job.start();
  job.data("x".repeat(200_000));
  await until(() => job.credit >= 200_000, "credit for the first part");
  expect(client.received.byteLength).toBe(0);
  job.data("x".repeat(200_000));
  await until(() => client.received.byteLength > 400_000, "the answer goes out");
  job.end("broken");
  await client.closed();
  expect(client.chunkedBody.isTerminated).toBe(false);
  expect((await client.head()).status).toBe(200);
});
