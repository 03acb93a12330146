// Requests as no library would send them: old HTTP versions, unusable hosts, paths in other spellings.
import { expect, test } from "bun:test";
import { RawClient } from "../support/raw-client.ts";
import { startTestRelay, type TestRelay } from "../support/running-relay.ts";
import { until } from "../support/until.ts";
import { startV2Worker } from "../support/v2-worker.ts";

interface Answered {
  readonly status: number;
  readonly body: string;
}

async function answered(relay: TestRelay, request: string): Promise<Answered> {
  using client = await RawClient.connect(relay);
  client.send(request);
  const { status, headers } = await client.head();
  const length = Number(headers.get("content-length") ?? 0);
  await until(() => client.rawBody.byteLength >= length || client.isClosed, "the body of an answer");
  return { status, body: client.rawBody.toString() };
}

test("[H14] paths that are not in their canonical form are refused before anything looks at them", async () => {
  await using relay = startTestRelay();
  const paths = [
    "//v1/models",
    "/v1//models",
    "/v1/models//",
    "/v1%2fmodels",
    "/v1%5Cmodels",
    "/v1/mod%00els",
    "/v1/models/a%0ab",
    "/%2e%2e%2fv1",
    "/v1/x%7f",
    "/v1/models#a",
    "/v1/models?a#b",
  ];
  for (const path of paths) {
    const { status, body } = await answered(relay, `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    expect([path, status]).toEqual([path, 400]);
    expect(body).toContain('"code":"invalid_path"');
  }
});

test("[H14] a raw # is the client's mistake, and not the backend's", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay);
  using client = await RawClient.connect(relay);
  client.post("/v1/chat/completions?a#b", { model: "m" });
  expect((await client.head()).status).toBe(400);
  expect([client.text.includes('"code":"invalid_path"'), worker.jobs.length]).toEqual([true, 0]);
});

test("[H14] a path with needless escapes is nobody's: routes are compared as they were sent", async () => {
  await using relay = startTestRelay();
  for (const path of ["/v1/%6dodels", "/%76%31/models", "/v1/chat/%63ompletions", "/v1/worker/%63onnect", "/%68ealth"]) {
    const { status } = await answered(relay, `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    expect([path, [400, 404].includes(status)]).toEqual([path, true]);
  }
});

test("[H14] dot segments never reach routing or a worker", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay);
  for (const path of ["/v1/x/../chat/completions", "/v1/./chat/completions", "/v1/x/%2e%2e/chat/completions"]) {
    using client = await RawClient.connect(relay);
    client.post(path, { model: "m" });
    // The runtime resolves them before we see the path: what counts is that only the one form goes on.
    const job = await worker.nextJob();
    expect(job.request["path"]).toBe("/v1/chat/completions");
    job.answer();
    expect((await client.head()).status).toBe(200);
  }
});

test("[H14] a request whose Host is missing or unusable is routed by its path all the same", async () => {
  await using relay = startTestRelay();
  for (const request of [
    "GET /v1/models HTTP/1.0\r\n\r\n",
    "GET /v1/models HTTP/1.1\r\nhost: a b\r\n\r\n",
    "GET /health HTTP/1.0\r\n\r\n",
  ]) {
    expect([request, (await answered(relay, request)).status]).toEqual([request, 200]);
  }
  for (const path of ["/ab/v1/models", "/x/health"]) {
    expect([path, (await answered(relay, `GET ${path} HTTP/1.0\r\n\r\n`)).status]).toEqual([path, 404]);
  }
});

test("[H1] HTTP/1.0 and a body that was announced with Expect reach the worker", async () => {
  await using relay = startTestRelay();
  await using worker = await startV2Worker(relay);
  const body = '{"model":"m"}';
  for (const head of ["HTTP/1.0\r\n", "HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"]) {
    using client = await RawClient.connect(relay);
    client.send(`POST /v1/chat/completions ${head}content-length: ${body.length}\r\n\r\n${body}`);
    const job = await worker.nextJob();
    expect(job.text).toBe(body);
    job.answer('"yes"');
    await client.head();
    await until(() => client.text.includes(`"yes"`), "the answer");
  }
});
