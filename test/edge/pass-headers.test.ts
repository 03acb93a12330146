// Which headers go to the worker and which come back, over real sockets.
import { expect, test } from "bun:test";
import { startTestRelay } from "../support/running-relay.ts";
import { startV2Worker } from "../support/v2-worker.ts";

const ALLOWED: Readonly<Record<string, string>> = {
  "content-type": "text/plain",
  accept: "text/event-stream",
  "anthropic-version": "2023-06-01",
  "anthropic-beta": "a,b",
  "openai-organization": "org",
  "openai-project": "proj",
  "openai-beta": "x=1",
  "idempotency-key": "k",
  "x-request-id": "r.1",
  traceparent: "00-0-0-0",
  tracestate: "s=1",
  authorization: "Bearer sk-somebody-elses",
  "x-api-key": "sk-somebody-elses",
};
const NOT_ALLOWED: Readonly<Record<string, string>> = {
  cookie: "session=1",
  "x-forwarded-for": "1.2.3.4",
  "user-agent": "somebody",
  referer: "http://example.invalid/",
  "x-stainless-lang": "js",
  "x-worker-secret": "test-secret",
  "proxy-authorization": "Basic x",
  te: "trailers",
  "session-id": "s",
};

async function sentOn(settings: Parameters<typeof startTestRelay>[0], headers: Readonly<Record<string, string>>): Promise<object> {
  await using relay = startTestRelay(settings);
  await using worker = await startV2Worker(relay);
  const response = relay.post("/v1/chat/completions", { model: "m" }, { headers });
  const job = await worker.nextJob();
  job.answer();
  expect((await response).status).toBe(200);
  return Object.fromEntries(job.headers);
}

test("[H7] only the headers of the allow-list go to the worker, as they came", async () => {
  expect(await sentOn({}, { ...NOT_ALLOWED, ...ALLOWED })).toEqual(ALLOWED);
});

test("[H7] those named by --forward-header go too, except what belongs to the connection", async () => {
  const forwardHeaders = ["session-id", "x-codex-turn", "te", "x-worker-secret", "content-length", "host", "proxy-authorization"];
  const sent = await sentOn({ forwardHeaders }, { ...NOT_ALLOWED, "x-codex-turn": "7", "x-request-id": "r" });
  expect(sent).toMatchObject({ "session-id": "s", "x-codex-turn": "7" });
  for (const name of ["te", "x-worker-secret", "content-length", "host", "proxy-authorization", "cookie"])
    expect(sent).not.toHaveProperty(name);
});

test("[H7] a credential of this relay never leaves it, however it was sent", async () => {
  const settings = { adminToken: "admin-token-of-this-relay" };
  const spellings = [
    "test-secret",
    "Bearer test-secret",
    "bearer  test-secret ",
    "admin-token-of-this-relay",
    "BEARER\tadmin-token-of-this-relay",
  ];
  for (const value of spellings) {
    for (const name of ["authorization", "x-api-key"]) {
      const sent = await sentOn(settings, { [name]: value });
      expect(JSON.stringify(sent)).not.toMatch(/test-secret|admin-token/);
    }
  }
});

test("[H7] not even when an operator lets the header through by name", async () => {
  const settings = { adminToken: "admin-token-of-this-relay", forwardHeaders: ["authorization", "x-api-key", "x-auth", "x-also"] };
  const sent = await sentOn(settings, {
    authorization: "Bearer test-secret",
    "x-auth": "mine",
    "x-also": "Bearer test-secret",
  });
  expect(JSON.stringify(sent)).not.toMatch(/test-secret|admin-token/);
  expect(sent).toHaveProperty("x-auth", "mine");
});

test("[H8] only the headers of the allow-list come back; what the relay says itself wins", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay, { name: "Kiste 1" });
  const response = relay.post("/v1/chat/completions", { model: "m" }, { headers: { "x-request-id": "mine" } });
  const job = await worker.nextJob();
  const passed = {
    "content-type": "application/json; charset=x",
    "retry-after": "3",
    "request-id": "theirs",
    "x-ratelimit-remaining-tokens": "5",
    "anthropic-ratelimit-tokens-limit": "9",
    "openai-processing-ms": "4",
  };
  const kept = {
    "set-cookie": "a=b",
    location: "http://evil.example/",
    "access-control-allow-origin": "*",
    connection: "close",
    "transfer-encoding": "chunked",
    "content-length": "3",
    "content-encoding": "gzip",
    "x-request-id": "theirs",
    "x-modelrelay-worker": "forged",
    "strict-transport-security": "max-age=1",
    server: "evil",
    "www-authenticate": "Basic",
    "clear-site-data": "*",
    "x-ratelimit-bad": "a\r\nset-cookie: b=c",
    "openai-bad\r\nset-cookie": "x",
  };
  job.answer('"body"', 200, { ...kept, ...passed });
  const { headers } = await response;
  for (const [name, value] of Object.entries(passed)) expect([name, headers.get(name)]).toEqual([name, value]);
  for (const name of Object.keys(kept).filter((name) => !/^x-(request|modelrelay)|^conn|^transfer|^content|\r/.test(name))) {
    expect([name, headers.get(name)]).toEqual([name, null]);
  }
  expect(headers.get("content-encoding")).toBeNull();
  expect(headers.get("x-request-id")).toBe("mine");
  expect(headers.get("x-modelrelay-worker")).toBe("Kiste%201");
  expect(await (await response).json()).toBe("body");
});

test("[H8] streams say that they are not to be cached or held back; upper-case names pass as well", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay);
  const response = relay.post("/v1/chat/completions", { model: "m", stream: true });
  const job = await worker.nextJob();
  job.start(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "public", "X-RateLimit-Limit": "1" });
  job.data("data: 1\n\n");
  job.end();
  const { headers } = await response;
  expect(headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  expect(headers.get("cache-control")).toBe("no-cache, no-transform");
  expect(headers.get("x-accel-buffering")).toBe("no");
  expect(headers.get("x-ratelimit-limit")).toBe("1");
  expect(headers.get("x-modelrelay-attempts")).toBe("1");
  expect(headers.get("x-modelrelay-queue-ms")).toMatch(/^\d+$/);
  await (await response).text();
});

test("[H2] an answer whose backend sent an empty content type has none, or the usual one, but not both", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay);
  const response = relay.post("/v1/chat/completions", { model: "m" });
  (await worker.nextJob()).answer('"body"', 200, { "content-type": "" });
  expect((await response).headers.get("content-type") ?? "").not.toContain(",");
  expect(await (await response).json()).toBe("body");
});
