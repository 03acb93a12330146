// Web pages: which may use the client routes, and under which host name on a loopback bind.
import { expect, test } from "bun:test";
import { RawClient } from "../support/raw-client.ts";
import { startTestRelay, type TestRelay } from "../support/running-relay.ts";
import { startV2Worker } from "../support/v2-worker.ts";

async function statusOf(relay: TestRelay, path: string, headers: Readonly<Record<string, string>>): Promise<number> {
  using client = await RawClient.connect(relay);
  const lines = Object.entries({ host: "localhost", ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  client.send(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
  return (await client.head()).status;
}

test("[H15] a page of another origin is refused on every path, preflights included", async () => {
  await using relay = startTestRelay();
  for (const path of ["/v1/models", "/health", "/", "/nothing", "/admin/workers"]) {
    for (const headers of [
      { origin: "http://evil.example" },
      { origin: "null" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { origin: "http://localhost.evil.example", "sec-fetch-site": "cross-site" },
      { origin: "http://localhost:1" },
    ]) {
      expect([path, headers, await statusOf(relay, path, headers)]).toEqual([path, headers, 403]);
    }
  }
  const preflight = await fetch(relay.at("/v1/messages"), { method: "OPTIONS", headers: { origin: "http://evil.example" } });
  expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([403, null]);
});

test("[H15] other clients are not affected, whatever host they name", async () => {
  await using relay = startTestRelay();
  for (const host of ["localhost", "relay.internal:8080", "10.0.0.1", "evil.example"]) {
    expect(await statusOf(relay, "/v1/models", { host })).toBe(200);
  }
});

test("[H15] a page of our own and the user himself pass", async () => {
  await using relay = startTestRelay();
  const host = `localhost:${relay.url.port}`;
  expect(await statusOf(relay, "/", { host, "sec-fetch-site": "none" })).toBe(200);
  expect(await statusOf(relay, "/health", { host, "sec-fetch-site": "same-origin" })).toBe(200);
  expect(await statusOf(relay, "/health", { host, origin: `http://${host}`, "sec-fetch-site": "same-origin" })).toBe(200);
});

test("[H15] a browser must name a host of ours on a loopback bind, else 421", async () => {
  await using relay = startTestRelay({ allowedHosts: ["Relay.Lan"], publicUrl: "https://public.example:8443" });
  const site = { "sec-fetch-site": "none" };
  const ours = ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "127.8.8.8", "[::1]:8080", "relay.lan:99", "public.example", "localhost."];
  for (const host of ours) expect([host, await statusOf(relay, "/health", { ...site, host })]).toEqual([host, 200]);
  const foreign = ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "public.example.evil", ""];
  for (const host of foreign) expect([host, await statusOf(relay, "/health", { ...site, host })]).toEqual([host, 421]);
  const rebound = await statusOf(relay, "/v1/models", {
    host: "evil.example",
    origin: "http://evil.example",
    "sec-fetch-site": "same-origin",
  });
  expect(rebound).toBe(421);
});

test("[H15] an allowed origin may preflight, post and read the answer; errors too", async () => {
  const origin = "https://app.example";
  await using relay = startTestRelay({ corsOrigins: [origin, "https://other.example"] });
  await using worker = await startV2Worker(relay);
  const asked = "authorization,content-type,x-api-key,x-stainless-lang";
  const preflight = await fetch(relay.at("/v1/chat/completions"), {
    method: "OPTIONS",
    headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": asked },
  });
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get("access-control-allow-origin")).toBe(origin);
  expect(preflight.headers.get("access-control-allow-headers")).toBe(asked);
  expect(preflight.headers.get("access-control-allow-methods")).toContain("POST");
  const response = relay.post("/v1/chat/completions", { model: "m", stream: true }, { headers: { origin } });
  const job = await worker.nextJob();
  job.start(200, { "content-type": "text/event-stream", "access-control-allow-origin": "*" });
  job.data("data: 1\n\n");
  job.end();
  expect((await response).headers.get("access-control-allow-origin")).toBe(origin);
  expect((await response).headers.get("access-control-expose-headers")).toContain("x-request-id");
  expect(await (await response).text()).toBe("data: 1\n\n");
  for (const refused of [
    await fetch(relay.at("/v1/chat/completions"), { method: "POST", body: "{", headers: { origin } }),
    await fetch(relay.at("/v1/nothing"), { headers: { origin } }),
    await fetch(relay.at("/v1/messages"), { headers: { origin } }),
  ]) {
    expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([refused.status, origin]);
  }
  for (const foreign of ["https://app.example.evil", "http://app.example", "https://app.example:444"]) {
    expect((await fetch(relay.at("/v1/models"), { headers: { origin: foreign } })).status).toBe(403);
  }
  expect((await fetch(relay.at("/health"), { headers: { origin } })).headers.get("access-control-allow-origin")).toBeNull();
});

test("[H15] any origin when it was so configured, but never another host", async () => {
  await using relay = startTestRelay({ corsOrigins: ["*"] });
  expect(await statusOf(relay, "/v1/models", { origin: "null" })).toBe(200);
  expect(await statusOf(relay, "/v1/models", { origin: "http://evil.example", host: "evil.example" })).toBe(421);
});
