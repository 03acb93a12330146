// Hostile answers of workers that speak protocol v1, where a request is named by a text and the status comes last.
import { expect } from "bun:test";
import { RawClient } from "../support/raw-client.ts";
import { until } from "../support/until.ts";
import { refusalOf } from "./rig.ts";
import { attack, CHAT } from "./scene.ts";

const MIB = 1024 * 1024;

attack("v1: answers to requests of others, by their very names, are dropped and counted", async ({ v1, honest, ignored, flow }) => {
  const evil = await v1();
  const names = [...honest.old.jobs.map(({ id }) => id), "a1-1", "1-1", "r1", "", "x".repeat(10_000), "\u0000"];
  for (const request_id of names) {
    evil.send({ type: "response_chunk", request_id, chunk: "data: forged\n\n" });
    evil.send({ type: "response_complete", request_id, status_code: 200, headers: { "set-cookie": "a=b" }, body: "forged" });
    evil.send({ type: "error", request_id, code: "x", message: "y" });
  }
  await ignored(names.length * 3);
  await flow();
  expect(evil.end).toBeNull();
});

attack("v1: completed twice, chunks and errors behind the end", async ({ v1, ask, ignored }) => {
  const evil = await v1({ slots: 1 });
  const response = ask();
  const job = await evil.nextJob();
  job.complete(200, { body: '"once"' });
  for (let again = 0; again < 5; again++) {
    job.complete(500, { body: '"twice"' });
    job.chunk("data: late\n\n");
    evil.send({ type: "error", request_id: job.id });
  }
  expect(await (await response).text()).toBe('"once"');
  await ignored(15);
});

attack("v1: headers that HTTP cannot carry, or that are not a backend's to send", async ({ v1, ask }) => {
  const evil = await v1();
  const blocks: readonly Readonly<Record<string, string>>[] = [
    { "Set-Cookie": "a=b", LOCATION: "https://evil.example", "Transfer-Encoding": "gzip", "Content-Length": "1" },
    { "Retry-After": "1\r\nset-cookie: a=b", "X-RateLimit-A b": "1", "openai-ü": "1", "openai-x": "✓" },
    { "content-type": "text/html\r\n\r\n<script>" },
  ];
  for (const headers of blocks) {
    for (const stream of [false, true]) {
      const response = ask({ stream });
      (await evil.nextJob()).complete(200, { headers, body: '"fine"' });
      const answer = await response;
      expect([answer.status, answer.headers.get("set-cookie"), answer.headers.get("location")]).toEqual([200, null, null]);
      expect(await answer.text()).toBe('"fine"');
    }
  }
});

attack("v1: statuses that are none, or none to pass on, are 502", async ({ v1, ask }) => {
  const evil = await v1();
  for (const status of [0, 99, 100, 101, 199, 301, 304, 600, 999, 2 ** 53 - 1]) {
    const response = ask();
    (await evil.nextJob()).complete(status, { body: "{}" });
    expect([status, ...(await refusalOf(await response))]).toEqual([status, 502, "backend_error", null]);
  }
  expect(evil.end).toBeNull();
});

attack("v1: statuses and bodies of other types close the connection", async ({ v1, ask, relay }) => {
  for (const forged of [
    { status_code: "200" },
    { status_code: -1 },
    { body: {} },
    { headers: { a: 1 } },
    { token_counts: { prompt_tokens: -1 } },
  ]) {
    const evil = await v1();
    const response = ask();
    const job = await evil.nextJob();
    evil.send({ type: "response_complete", request_id: job.id, status_code: 200, ...forged });
    expect((await evil.closedByRelay()).code).toBe(1002);
    const good = await v1();
    (await good.nextJob()).complete();
    expect((await response).status).toBe(200);
    good.close();
    await relay.workers(2);
  }
});

attack("v1: a stream whose status turns out to be an error ends broken, not clean", async ({ v1, relay }) => {
  const evil = await v1();
  using client = await RawClient.connect(relay);
  client.post(CHAT, { model: "evil", stream: true });
  const job = await evil.nextJob();
  job.chunk("data: 1\n\n");
  await until(() => client.chunkedBody.text === "data: 1\n\n", "the first event is there");
  job.complete(500, { body: "secret of the backend" });
  await client.closed();
  expect(client.chunkedBody.isTerminated).toBe(false);
  expect(client.text).not.toContain("secret of the backend");
});

attack("v1: chunks of megabytes to a client that does not read: that client is cut off, and nobody waits", async ({ v1, relay, flow }) => {
  const evil = await v1();
  using client = await RawClient.connect(relay);
  client.post(CHAT, { model: "evil", stream: true });
  const job = await evil.nextJob();
  job.chunk("data: 1\n\n");
  await until(() => client.chunkedBody.text === "data: 1\n\n", "the stream has begun");
  client.pause();
  for (let chunk = 0; chunk < 24; chunk++) job.chunk(`data: ${"x".repeat(MIB)}\n\n`);
  await relay.requests(2);
  await flow();
  expect(relay.hub.counters.byOutcome.get("client_stalled")).toBe(1);
});

attack("v1: a whole answer above 64 MiB is 502", async ({ v1, ask }) => {
  const evil = await v1();
  const response = ask();
  (await evil.nextJob()).complete(200, { body: "x".repeat(65 * MIB) });
  expect(await refusalOf(await response)).toEqual([502, "backend_error", null]);
});

attack("v1: a whole answer in chunks without end is not kept for a client that does not read", async ({ v1, relay, flow }) => {
  const evil = await v1();
  using client = await RawClient.connect(relay);
  client.post(CHAT, { model: "evil" });
  const job = await evil.nextJob();
  client.pause();
  for (let chunk = 0; chunk < 70; chunk++) job.chunk("x".repeat(MIB));
  await relay.requests(2);
  await flow();
  expect(relay.hub.counters.byOutcome.get("client_stalled")).toBe(1);
});

attack("v1: chunks after a cancel, and pongs that lie about what runs", async ({ v1, relay, flow }) => {
  const evil = await v1({ slots: 1, isMute: true });
  using client = await RawClient.connect(relay);
  client.post(CHAT, { model: "evil", stream: true });
  const job = await evil.nextJob();
  job.chunk("data: 1\n\n");
  await until(() => client.chunkedBody.text !== "", "the stream runs");
  client.cut();
  await until(() => job.isCancelled, "it is told to stop");
  for (let pong = 0; pong < 20; pong++) evil.send({ type: "pong", current_load: 99, timestamp_unix_ms: Date.now() + 1e6 });
  for (let chunk = 0; chunk < 20; chunk++) job.chunk("data: late\n\n");
  await flow();
  evil.send({ type: "pong", current_load: 0, timestamp_unix_ms: Date.now() + 1e6 });
  const next = relay.post(CHAT, { model: "evil" });
  await until(() => evil.jobs.length === 2 || evil.end !== null, "the slot is free");
  evil.jobs[1]?.complete();
  expect((await next).status).toBe(200);
});

attack("v1: an error for a request that streams ends it, and for none at all ends none", async ({ v1, relay, flow }) => {
  const evil = await v1();
  using client = await RawClient.connect(relay);
  client.post(CHAT, { model: "evil", stream: true });
  const job = await evil.nextJob();
  job.chunk("data: 1\n\n");
  evil.send({ type: "error", code: "everything", message: "the secret of another" });
  evil.send({ type: "error", request_id: null });
  await flow();
  evil.send({ type: "error", request_id: job.id, message: "the secret of another" });
  await client.closed();
  expect(client.text).not.toContain("the secret");
  expect(client.chunkedBody.isTerminated).toBe(false);
});

attack("v1: frames only v2 knows are counted and mean nothing", async ({ v1, ask, ignored }) => {
  const evil = await v1();
  for (const type of ["response_start", "response_end", "reject", "cancelled", "credit", "draining", "request", "register_ack"]) {
    evil.send({ type, attempt: 1, status_code: 200, headers: {} });
  }
  await ignored(8);
  const response = ask();
  (await evil.nextJob()).complete(200, { body: "{}" });
  expect((await response).status).toBe(200);
});
