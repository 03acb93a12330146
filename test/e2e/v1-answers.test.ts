// Answers of an old worker: status and headers come last, chunks come first, and late ones too.
import { expect, test } from "bun:test";
import { streamEvents, withCrlf } from "../support/fake-backend-events.ts";
import { SseReader } from "../support/sse-reader.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { startV1Worker, type V1Job } from "../support/v1-worker.ts";

async function answered(script: (job: V1Job) => void, body: object, path = "/v1/chat/completions"): Promise<Response> {
  await using relay = startTestRelay();
  await using worker = await startV1Worker(relay);
  const response = relay.post(path, { model: "m", ...body });
  script(await worker.nextJob());
  const { status, headers } = await response;
  return new Response(status === 204 ? null : await (await response).arrayBuffer(), { status, headers });
}

test("[H3] [L2] a v1 worker gets the body as one string, byte for byte, and the headers of the allow-list", async () => {
  await using relay = startTestRelay();
  await using worker = await startV1Worker(relay);
  const sent = '{ "model" : "any/model:tag", "stream":true, "text":"ü🚀\\u0000\\"" }\n';
  const response = fetch(relay.at("/v1/messages?beta=true"), {
    method: "POST",
    body: sent,
    headers: { "anthropic-version": "1", cookie: "c" },
  });
  const job = await worker.nextJob();
  expect(job.request).toMatchObject({ model: "any/model:tag", endpoint_path: "/v1/messages?beta=true", is_streaming: true, body: sent });
  expect(job.request["headers"]).toMatchObject({ "anthropic-version": "1" });
  expect(JSON.stringify(job.request["headers"])).not.toContain("cookie");
  job.complete(200, { body: "{}" });
  expect((await response).status).toBe(200);
});

test("[H2] [L7] chunks that look like a stream are a 200 stream at once, byte for byte, cut anywhere", async () => {
  for (const events of [streamEvents("messages", ["😀", "wörld"]), withCrlf(streamEvents("chat")), [": ping\n\n", "\r\n", "data: 1\n\n"]]) {
    const text = events.join("");
    await using relay = startTestRelay();
    await using worker = await startV1Worker(relay);
    const response = relay.post("/v1/chat/completions", { model: "m", stream: true });
    const job = await worker.nextJob();
    const characters = Array.from(text);
    // Old workers cut where the network did, but never inside a character.
    for (let at = 0; at < characters.length; at += 7) job.chunk(characters.slice(at, at + 7).join(""));
    expect((await response).status).toBe(200);
    expect((await response).headers.get("content-type")).toBe("text/event-stream");
    const reader = new SseReader(await response);
    await reader.next();
    job.complete(200, { headers: { "content-type": "text/event-stream" } });
    await reader.rest();
    expect(reader.bytes.toString()).toBe(text);
    expect(reader.end?.kind).toBe("clean");
  }
});

test("[H2] [L7] chunks that are no stream are held until the status is known: an error keeps its status", async () => {
  const body = '{"error":{"message":"no such model"}}';
  const script = (job: V1Job): void => {
    job.chunk(body.slice(0, 10));
    job.chunk(body.slice(10));
    job.complete(404, { headers: { "Content-Type": "application/json", "Retry-After": "3" } });
  };
  const response = await answered(script, { stream: true });
  expect([response.status, response.headers.get("retry-after"), await response.text()]).toEqual([404, "3", body]);
});

test("[H2] [L7] a whole answer, an error, and an empty one", async () => {
  const whole = await answered((job) => job.complete(200, { headers: { "content-type": "application/json" }, body: '{"a":"ü"}' }), {});
  expect([whole.status, await whole.text()]).toEqual([200, '{"a":"ü"}']);
  const error = await answered((job) => job.complete(429, { body: "slow down", headers: { "content-type": "text/plain" } }), {
    stream: true,
  });
  expect([error.status, error.headers.get("content-type"), await error.text()]).toEqual([429, "text/plain", "slow down"]);
  const empty = await answered((job) => job.complete(204), {}, "/v1/rerank");
  expect([empty.status, await empty.text()]).toEqual([204, ""]);
});

test("[L7] what was streamed as a 200 and ends with an error status is a broken stream", async () => {
  await using relay = startTestRelay();
  await using worker = await startV1Worker(relay);
  const response = relay.post("/v1/chat/completions", { model: "m", stream: true });
  const job = await worker.nextJob();
  job.chunk("data: 1\n\n");
  const reader = new SseReader(await response);
  await reader.next();
  job.complete(500, { body: "" });
  const rest = await reader.rest();
  expect(JSON.parse(rest[0]?.data ?? "")).toMatchObject({ error: { code: "backend_error" } });
  expect(reader.end?.kind).toBe("broken");
});

test("[L7] an answer whose chunks never look like a stream goes on as one when it gets too long to hold", async () => {
  const piece = `{"text":"${"x".repeat(300_000)}"}\n`;
  const script = (job: V1Job): void => {
    for (let sent = 0; sent < 5; sent++) job.chunk(piece);
    job.complete(200, {});
  };
  const response = await answered(script, { stream: true });
  expect([response.status, await response.text()]).toEqual([200, piece.repeat(5)]);
});

test("[W5] late chunks, foreign ids and double completes change nothing and are counted", async () => {
  await using relay = startTestRelay();
  await using worker = await startV1Worker(relay, { slots: 2, models: ["m"] });
  await using other = await startV1Worker(relay, { slots: 1, models: ["other"] });
  const first = relay.post("/v1/chat/completions", { model: "other" });
  const job = await other.nextJob();
  // Another worker answers in its place.
  worker.send({ type: "response_complete", request_id: job.id, status_code: 200, headers: { "set-cookie": "a=b" }, body: "forged" });
  worker.send({ type: "response_chunk", request_id: job.id, chunk: "data: forged\n\n" });
  worker.send({ type: "error", request_id: job.id, code: "x", message: "forged" });
  worker.send({ type: "pong", current_load: 0 });
  const abort = new AbortController();
  const gone = relay.post("/v1/chat/completions", { model: "m", stream: true }, { signal: abort.signal }).catch(() => null);
  const late = await worker.nextJob();
  abort.abort();
  await gone;
  await worker.next("cancel");
  late.chunk("data: late\n\n");
  late.complete(200);
  late.complete(200);
  job.complete(200, { body: "mine" });
  job.complete(500, { body: "double" });
  expect(await (await first).text()).toBe("mine");
  const response = relay.post("/v1/chat/completions", { model: "m" });
  (await worker.nextJob()).complete(200, { body: "still here" });
  expect(await (await response).text()).toBe("still here");
  expect(relay.hub.counters.ignoredFrames).toBe(6);
  expect(relay.hub.fleet.workers.size).toBe(2);
});

test("[R5] [W1] an old worker that drops its session over one request: that one is tried once more, the others are placed anew", async () => {
  await using relay = startTestRelay();
  await using first = await startV1Worker(relay);
  const responses = [relay.post("/v1/chat/completions", { n: 0, model: "m" }), relay.post("/v1/chat/completions", { n: 1, model: "m" })];
  const bad = await first.nextJob();
  await first.nextJob();
  await using second = await startV1Worker(relay);
  first.send({ type: "error", request_id: bad.id, code: "backend_error", message: "canary of the worker" });
  first.close(1011);
  const jobs = [await second.nextJob(), await second.nextJob()];
  for (const job of jobs) job.complete(200, { body: String(job.request["body"]) });
  for (const response of await Promise.all(responses)) {
    expect(response.status).toBe(200);
    expect(response.headers.get("x-modelrelay-attempts")).toBe("2");
    expect(await response.text()).toContain('"model":"m"');
  }
});
