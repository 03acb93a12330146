// Hostile answers of workers that speak protocol v2: forged, doubled, out of order, too large, and about requests of others.
import { expect } from "bun:test";
import { RawClient } from "../support/raw-client.ts";
import { until } from "../support/until.ts";
import { frameOf } from "../support/v2-worker.ts";
import { refusalOf } from "./rig.ts";
import { attack, CHAT, everyFrameOf } from "./scene.ts";

attack("v2: answers to attempts that are not its own are dropped and counted", async ({ v2, ignored, flow }) => {
  const evil = await v2();
  for (let attempt = 1; attempt <= 40; attempt++) {
    everyFrameOf(evil, attempt);
    evil.sendRaw(frameOf(attempt, "data: forged\n\n"));
  }
  await ignored(40 * 6);
  await flow();
  expect(evil.end).toBeNull();
});

attack("v2: a second end, start, rejection or acknowledgement of an answered request", async ({ v2, ask, ignored }) => {
  const evil = await v2({ slots: 1 });
  const response = ask();
  const job = await evil.nextJob();
  job.answer('"once"');
  for (let again = 0; again < 10; again++) {
    everyFrameOf(evil, job.attempt);
    job.data('"twice"');
  }
  expect(await (await response).text()).toBe('"once"');
  await ignored(60);
  const next = ask();
  (await evil.nextJob()).answer('"next"');
  expect(await (await next).text()).toBe('"next"');
});

const FORGED: Readonly<Record<string, string>> = {
  "set-cookie": "session=stolen",
  location: "https://evil.example/",
  "access-control-allow-origin": "*",
  "transfer-encoding": "gzip",
  "content-length": "5",
  "content-encoding": "gzip",
  connection: "upgrade",
  upgrade: "websocket",
  trailer: "x",
  "keep-alive": "timeout=1",
  "strict-transport-security": "max-age=1",
  "www-authenticate": "Basic",
  "clear-site-data": "*",
  refresh: "0; url=https://evil.example/",
  "x-modelrelay-worker": "somebody",
  "x-request-id": "forged",
  server: "evil",
  "proxy-authenticate": "Basic",
  "alt-svc": 'h3="evil.example:443"',
  "content-security-policy": "default-src *",
};

attack("v2: forged headers stay behind, streaming or not", async ({ v2, ask, relay }) => {
  const evil = await v2();
  for (const stream of [false, true]) {
    using client = await RawClient.connect(relay);
    client.post(CHAT, { model: "evil", stream }, { "x-request-id": "mine" });
    const job = await evil.nextJob();
    job.start(200, { ...FORGED, "content-type": stream ? "text/event-stream" : "application/json" });
    job.data("data: x\n\n");
    job.end();
    const { headers } = await client.head();
    for (const [name, value] of Object.entries(FORGED)) expect([name, headers.get(name) === value]).toEqual([name, false]);
    expect(headers.get("x-request-id")).toBe("mine");
    expect(headers.get("x-modelrelay-worker")).toBe("hostile");
  }
  const response = ask();
  (await evil.nextJob()).answer("{}", 200, { ...FORGED });
  expect((await response).headers.get("set-cookie")).toBeNull();
});

const UNSENDABLE: readonly Readonly<Record<string, string>>[] = [
  { "retry-after": "1\r\nset-cookie: stolen=1" },
  { "retry-after": "1\nset-cookie: stolen=1" },
  { "openai-x": "a\u0000b" },
  { "openai-x": "✓ not latin1" },
  { "openai-x": "\ud800" },
  { "x-ratelimit-a b": "1" },
  { "x-ratelimit-a\r\nset-cookie: stolen=1": "1" },
  { "x-ratelimit-a\nset-cookie: stolen=1\n": "1" },
  { "openai-": "1", "openai-:": "1", "openai-ü": "1", "openai-()": "1" },
  { "": "empty", " ": "blank", "openai-\u0000": "1" },
  { "content-type": "text/html\r\n\r\n<script>alert(1)</script>" },
  { __proto__: "x", constructor: "y", toString: "z" },
];

attack("v2: header names and values that HTTP cannot carry are dropped, and the answer is not lost", async ({ v2, ask, relay }) => {
  const evil = await v2();
  for (const headers of UNSENDABLE) {
    const response = ask();
    (await evil.nextJob()).answer('"fine"', 200, headers);
    const answer = await response;
    expect([JSON.stringify(headers), answer.status, await answer.text()]).toEqual([JSON.stringify(headers), 200, '"fine"']);
    expect(answer.headers.get("set-cookie")).toBeNull();
  }
  expect(relay.log.of("internal error in a worker session")).toEqual([]);
  expect(evil.end).toBeNull();
});

attack("v2: statuses that are none, or none to pass on, are 502 and the worker stays", async ({ v2, ask }) => {
  const evil = await v2();
  for (const status of [0, 1, 99, 100, 101, 103, 199, 300, 301, 304, 307, 399, 600, 999, 65_536, 2 ** 53 - 1]) {
    const response = ask();
    const job = await evil.nextJob();
    job.answer("{}", status);
    expect([status, ...(await refusalOf(await response))]).toEqual([status, 502, "backend_error", null]);
  }
  expect(evil.end).toBeNull();
});

attack("v2: statuses that are no numbers close the connection", async ({ v2, ask, relay }) => {
  for (const status_code of [-1, 200.5, "200", null, true, [200], 2 ** 53]) {
    const evil = await v2();
    const response = ask();
    const job = await evil.nextJob();
    evil.send({ type: "response_start", attempt: job.attempt, status_code, headers: {} });
    expect((await evil.closedByRelay()).code).toBe(1002);
    // The request is tried anew: another worker has it now.
    const good = await v2();
    (await good.nextJob()).answer();
    expect((await response).status).toBe(200);
    good.close();
    await relay.workers(2);
  }
});

attack("v2: 204 and 205 with a body, whole or as a stream", async ({ v2, ask }) => {
  const evil = await v2();
  for (const status of [204, 205]) {
    for (const type of ["application/json", "text/event-stream"]) {
      for (const stream of [true, false]) {
        const response = ask({ stream });
        (await evil.nextJob()).answer("data: body\n\n", status, { "content-type": type });
        const answer = await response;
        await answer.text().catch(() => "");
        expect(answer.status).toBe(status);
      }
    }
  }
});

attack("v2: an answer whose end, or body, comes before its start is none", async ({ v2, ask, ignored }) => {
  const evil = await v2();
  const response = ask();
  const job = await evil.nextJob();
  job.data('"too early"');
  job.end();
  job.start(200);
  expect(await refusalOf(await response)).toEqual([502, "backend_error", null]);
  await ignored(2);
});

attack("v2: an answer that starts twice has the first start's status and headers", async ({ v2, ask }) => {
  const evil = await v2();
  const response = ask();
  const job = await evil.nextJob();
  job.start(200, { "content-type": "application/json" });
  job.start(500, { "content-type": "text/html", "retry-after": "9" });
  job.data('"one"');
  job.end();
  const answer = await response;
  expect([answer.status, answer.headers.get("retry-after"), await answer.text()]).toEqual([200, null, '"one"']);
});

attack("v2: a header block above 32 KiB, or of thousands of names, is 502", async ({ v2, ask }) => {
  const evil = await v2();
  const many = Object.fromEntries(Array.from({ length: 9_000 }, (_, index) => [`openai-${index}`, "1"]));
  for (const headers of [{ "openai-x": "x".repeat(33 * 1024) }, many]) {
    const response = ask();
    (await evil.nextJob()).answer("{}", 200, headers);
    expect(await refusalOf(await response)).toEqual([502, "backend_error", null]);
  }
});

attack("v2: more bytes than its window close the connection; its own client's stream breaks, no other", async ({ v2, relay }) => {
  const evil = await v2({ slots: 1 });
  using client = await RawClient.connect(relay);
  client.post(CHAT, { model: "evil", stream: true });
  const job = await evil.nextJob();
  job.startStream();
  client.pause();
  for (let frame = 0; frame < 64; frame++) job.data(new Uint8Array(200 * 1024).fill(0x61));
  expect((await evil.closedByRelay()).code).toBe(1002);
  client.resume();
  await client.closed();
  expect(client.chunkedBody.isTerminated).toBe(false);
});

attack("v2: frames after a cancel reach nobody, and its slot is its own again only once", async ({ v2, relay, ignored }) => {
  const evil = await v2({ slots: 1, answersCancels: false });
  using client = await RawClient.connect(relay);
  client.post(CHAT, { model: "evil", stream: true });
  const job = await evil.nextJob();
  job.startStream();
  client.cut();
  await until(() => job.isCancelled, "the worker is told to stop");
  for (let frame = 0; frame < 10; frame++) job.data("data: late\n\n");
  job.start(500);
  for (let again = 0; again < 5; again++) job.acknowledgeCancel();
  job.end();
  await ignored(15);
  await relay.requests(2);
  const first = relay.post(CHAT, { model: "evil" });
  const one = await evil.nextJob();
  const second = relay.post(CHAT, { model: "evil" });
  await relay.requests(4);
  expect(evil.jobs).toHaveLength(2);
  one.answer();
  (await evil.nextJob()).answer();
  expect([(await first).status, (await second).status]).toEqual([200, 200]);
});

attack("v2: request bodies sent back, credits without end and for others change nothing", async ({ v2, ask, honest }) => {
  const evil = await v2({ slots: 1, isGenerous: false });
  const big = "x".repeat(600 * 1024);
  const response = ask({ big });
  const job = await evil.nextHead();
  job.sendRequestBodyBack();
  for (let attempt = 1; attempt < 50; attempt++) evil.send({ type: "credit", attempt, bytes: 2 ** 53 - 1 });
  await until(() => job.body.byteLength > 0, "the body begins");
  evil.send({ type: "credit", attempt: job.attempt, bytes: 2 ** 53 - 1 });
  evil.send({ type: "credit", attempt: job.attempt, bytes: 2 ** 53 - 1 });
  await until(() => job.body.byteLength === job.request["body_length"], "the body is through");
  job.answer();
  expect((await response).status).toBe(200);
  expect(honest.new.end).toBeNull();
});

attack("v2: a stream that plays the relay: its comments, errors and ends stay its own client's", async ({ v2, ask, flow }) => {
  const evil = await v2();
  const faked = ': queued, position 1\n\ndata: {"error":{"code":"shutdown"}}\n\nevent: error\ndata: {}\n\ndata: [DONE]\n\n: keep-alive\n\n';
  const response = ask({ stream: true });
  const job = await evil.nextJob();
  job.startStream();
  job.data(faked);
  await flow();
  job.end();
  expect(await (await response).text()).toBe(faked);
});

attack("v2: half an event, and then it is gone: the error stands apart from it, the connection is destroyed", async ({ v2, relay }) => {
  const evil = await v2();
  using client = await RawClient.connect(relay);
  client.post(CHAT, { model: "evil", stream: true });
  const job = await evil.nextJob();
  job.startStream();
  job.data('data: {"whole":1}\n\ndata: {"half":');
  await until(() => client.chunkedBody.text.includes("whole"), "the whole event is there");
  evil.cut();
  await client.closed();
  const { text, isTerminated } = client.chunkedBody;
  expect(isTerminated).toBe(false);
  expect(text).toMatch(/(?:^|\n)data: \{"error":.*worker_lost.*\}\n\n$/);
});
