// What is there, what is not, and how each says so: the table of contents of the HTTP API, over real sockets.
import { expect, test } from "bun:test";
import { RawClient } from "../support/raw-client.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { startV2Worker } from "../support/v2-worker.ts";

const POSTS = [
  "/v1/chat/completions",
  "/v1/responses",
  "/v1/messages",
  "/v1/completions",
  "/v1/embeddings",
  "/v1/messages/count_tokens",
  "/v1/rerank",
];
const GETS = ["/v1/models", "/health", "/livez", "/readyz", "/"];

test("[H12] what is not there is 404 in the dialect of its family", async () => {
  await using relay = startTestRelay();
  for (const path of ["/v1/nothing", "/v1/chat", "/v1/chat/completions/", "/v1/images/generations", "/nothing", "/v1"]) {
    const response = await fetch(relay.at(path), { method: "POST", body: "{}" });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: { code: "not_found", type: "invalid_request_error", param: null } });
  }
  const anthropic = [
    fetch(relay.at("/v1/messages/batches"), { method: "POST" }),
    fetch(relay.at("/v1/files"), { headers: { "anthropic-version": "2023-06-01" } }),
  ];
  for (const response of await Promise.all(anthropic)) {
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ type: "error", error: { type: "not_found_error" } });
  }
});

test("[H12] a doubled /v1 gets the hint", async () => {
  await using relay = startTestRelay();
  const response = await relay.post("/v1/v1/chat/completions", { model: "m" });
  expect(response.status).toBe(404);
  expect(await response.text()).toContain("/v1 twice");
});

test("[H12] a wrong method is 405 with Allow", async () => {
  await using relay = startTestRelay();
  for (const path of POSTS) {
    for (const method of ["GET", "PUT", "DELETE", "PATCH"]) {
      const response = await fetch(relay.at(path), { method });
      expect([path, method, response.status, response.headers.get("allow")]).toEqual([path, method, 405, "POST"]);
      expect(await response.text()).toContain(path.startsWith("/v1/messages") ? '"type":"error"' : '"code":"method_not_allowed"');
    }
  }
  for (const path of [...GETS, "/v1/models/m"]) {
    for (const method of ["POST", "DELETE"]) {
      const response = await fetch(relay.at(path), { method });
      expect([path, method, response.status, response.headers.get("allow")]).toEqual([path, method, 405, "GET, HEAD"]);
    }
  }
});

test("[H12] HEAD works where GET does, without a body", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { models: ["m"] });
  for (const path of [...GETS, "/v1/models/m"]) {
    using client = await RawClient.connect(relay);
    client.send(`HEAD ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`);
    await client.closed();
    expect([path, (await client.head()).status, client.rawBody.byteLength]).toEqual([path, 200, 0]);
  }
  expect(worker.jobs).toEqual([]);
});

test("[H12] HEAD tells the length that GET has, and no wrong one, also where it is refused", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { models: ["m"] });
  for (const path of [
    "/livez",
    "/readyz",
    "/v1/models",
    "/v1/models/m",
    "/openapi.json",
    "/",
    "/nothing",
    "/v1//x",
    "/v1/chat/completions",
    "/v1/worker/connect",
  ]) {
    const lengths: (string | undefined)[] = [];
    for (const method of ["GET", "HEAD"]) {
      using client = await RawClient.connect(relay);
      // The same id in both: refusals repeat it in their bodies.
      client.send(`${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-request-id: same\r\nconnection: close\r\n\r\n`);
      await client.closed();
      const { headers } = await client.head();
      lengths.push(headers.get("content-length"));
      if (method === "HEAD") expect([path, client.rawBody.byteLength]).toEqual([path, 0]);
    }
    expect([path, Number(lengths[0]) > 0, lengths[1]]).toEqual([path, true, lengths[0]]);
  }
  expect(worker.jobs).toEqual([]);
});

test("[H13] health says how many workers and requests there are, and nothing about who they are", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { name: "secret-name", models: ["secret-model"] });
  const response = await fetch(relay.at("/health"));
  const body: unknown = await response.json();
  expect(body).toEqual({
    status: "ok",
    version: expect.any(String),
    workers_connected: 1,
    queue_depth: 0,
    uptime_secs: expect.any(Number),
  });
  expect(JSON.stringify([body, [...response.headers]])).not.toContain("secret");
  expect(worker.end).toBeNull();
  for (const path of ["/livez", "/readyz"]) {
    const { status } = await fetch(relay.at(path));
    expect(status).toBe(200);
  }
});

test("[H9] every answer has a request id: the client's own if it is sane", async () => {
  await using relay = startTestRelay({ queueTimeoutMs: 20 });
  const requests: readonly (readonly [string, string])[] = [
    ...[...GETS, "/nothing", "/v1/models/none", "/v1/worker/connect", "/admin/workers"].map((path) => ["GET", path] as const),
    ...POSTS.map((path) => ["POST", path] as const),
    ["PUT", "/v1/messages"],
    ["OPTIONS", "/v1/messages"],
  ];
  for (const [method, path] of requests) {
    const body = method === "POST" ? '{"model":"m"}' : null;
    const mine = await fetch(relay.at(path), { method, body, headers: { "x-request-id": "mine.1:2_3-4" } });
    expect([path, mine.headers.get("x-request-id")]).toEqual([path, "mine.1:2_3-4"]);
    for (const insane of ["a b", "x".repeat(129), 'q"', "<script>"]) {
      const { headers } = await fetch(relay.at(path), { headers: { "x-request-id": insane } });
      expect(headers.get("x-request-id")).toMatch(/^req_[0-9a-f]{32}$/);
    }
  }
});

test("[H10] errors carry the request id and never a stack", async () => {
  await using relay = startTestRelay();
  const headers = { "x-request-id": "abc" };
  const openai = await fetch(relay.at("/v1/chat/completions"), { method: "POST", body: "{", headers });
  expect(await openai.json()).toEqual({
    error: { message: expect.any(String), type: "invalid_request_error", param: null, code: "invalid_request", request_id: "abc" },
  });
  const anthropic = await fetch(relay.at("/v1/messages"), { method: "POST", body: "{", headers });
  expect(await anthropic.json()).toEqual({
    type: "error",
    error: { type: "invalid_request_error", message: expect.any(String) },
    request_id: "abc",
  });
});

test("[H6] a request without a model goes to the only one on offer; with several, or one that serves any, it is refused", async () => {
  await using relay = startTestRelay();
  const none = await relay.post("/v1/chat/completions", {});
  expect(none.status).toBe(400);
  await using worker = await startV2Worker(relay, { models: ["only", "default"], register: { unlisted_models: ["default"] } });
  const response = relay.post("/v1/chat/completions", { messages: [] });
  const job = await worker.nextJob();
  expect(job.request["model"]).toBe("only");
  expect(job.text).toBe('{"messages":[]}');
  job.answer();
  expect((await response).status).toBe(200);
  await using second = await startV2Worker(relay, { models: ["other"] });
  const several = await relay.post("/v1/chat/completions", {});
  expect(await several.json()).toMatchObject({ error: { code: "invalid_request" } });
  second.close();
  await relay.workers(1);
  await using any = await startV2Worker(relay, { models: ["*"] });
  expect((await relay.post("/v1/chat/completions", {})).status).toBe(400);
  expect(any.jobs).toEqual([]);
});

test("[H12] the first page is JSON for programs and a page without scripts for people", async () => {
  await using relay = startTestRelay({ publicUrl: "https://relay.example/<x>" });
  const facts = await (await fetch(relay.at("/"))).json();
  expect(facts).toMatchObject({ name: "modelrelay", openai_base_url: "https://relay.example/<x>/v1" });
  const page = await fetch(relay.at("/"), { headers: { accept: "text/html" } });
  expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
  const html = await page.text();
  expect(html).toContain("https://relay.example/&lt;x&gt;/v1");
  expect(html).not.toContain("<script");
});
