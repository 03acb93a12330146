// The shipped configuration of nginx, in front of a real relay with a worker behind it: nothing of what the relay promises is lost on the way.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Child } from "../processes/child.ts";
import { makeCertificates } from "../security/certificates.ts";
import { streamEvents } from "../support/fake-backend-events.ts";
import { SseReader } from "../support/sse-reader.ts";
import { until, within } from "../support/until.ts";
import { startV1Worker } from "../support/v1-worker.ts";
import { type Nginx, NGINX_MISSING, startNginx } from "./nginx.ts";
import {
  Curl,
  expectHangUps,
  expectHttp2,
  expectLargeBodies,
  expectOfficialLibrary,
  expectOwnAddresses,
  expectUnbuffered,
  fromAddress,
  type Scene,
  startScene,
} from "./scene.ts";

/** Above nginx's own limit of a minute, and above what the relay waits before its first comment. */
const SILENCE_MS = 70_000;
const SILENCE_LIMIT_MS = 100_000;
const MAIN = join(import.meta.dir, "../../src/main.ts");

test("with CI=true nothing is left out: nginx is there to test with", () => {
  if (process.env["CI"] === "true") expect(NGINX_MISSING).toBeNull();
});

test.if(NGINX_MISSING === null)("[N12] a request on a connection that breaks is not sent a second time", async () => {
  using certificates = makeCertificates();
  let requests = 0;
  // Answers the first request and breaks the connection at the second, which came on the same one.
  using upstream = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        requests += 1;
        if (requests === 1) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        else socket.terminate();
      },
    },
  });
  await using nginx = await startNginx({ upstream: new URL(`http://127.0.0.1:${upstream.port}`), ...certificates.issue("front") });
  const statuses: number[] = [];
  // nginx would try again what is not a POST anyway.
  for (let asked = 0; asked < 2; asked++) statuses.push((await fetch(nginx.url, { tls: { ca: certificates.ca } })).status);
  expect({ statuses, requests }).toEqual({ statuses: [200, 502], requests: 2 });
});

describe.if(NGINX_MISSING === null)("behind nginx", () => {
  let scene: Scene<Nginx>;
  let silences: Promise<readonly unknown[]>;
  // Should the others be over before: nobody waits for what nobody asks for.
  const nobodyWaits = Promise.withResolvers<void>();

  beforeAll(async () => {
    scene = await startScene(startNginx, { adminToken: "admin-token" });
    // These take their time, beside all others.
    silences = Promise.all([silentStream(scene, nobodyWaits.promise), silentAnswer(scene, nobodyWaits.promise)]);
    silences.catch(() => {});
  });
  afterAll(async () => {
    nobodyWaits.resolve();
    await scene[Symbol.asyncDispose]();
  });

  test("[N1] the shipped file is clean of errors and warnings", () => {
    expect(scene.front.check().split("\n").filter(Boolean)).toEqual([
      expect.stringMatching(/the configuration file .* syntax is ok$/),
      expect.stringMatching(/configuration file .* test is successful$/),
    ]);
  });

  test("[N2] each event arrives before the next is written", () => expectUnbuffered(scene));

  test("[N2] HTTP/2: each event arrives before the next is written, and hanging up ends the work", () => expectHttp2(scene));

  test("[N2] the official library streams through it", () => expectOfficialLibrary(scene));

  test("[N3] bodies as large as the relay's limit arrive whole, larger ones are 413", () => expectLargeBodies(scene), 60_000);

  test("[N4] a client that hangs up ends the work at the backend", () => expectHangUps(scene));

  test("[N5] workers of both protocols connect through it with wss and serve", async () => {
    // The real program, as docs/tls.md shows it.
    const flags = ["--proxy-url", scene.front.url.origin, "--tls-ca", scene.certificates.caFile, "--backend-url", scene.backend.url];
    const offer = ["--worker-name", "process", "--models", "of-process", "--log-format", "json"];
    await using worker = new Child("worker", [MAIN, "work", ...flags, ...offer], { WORKER_SECRET: "test-secret" });
    await worker.says("registered");
    await using old = await startV1Worker(scene.front, { models: ["of-v1"], tlsCa: scene.certificates.ca });
    await scene.relay.workers(3);
    scene.script("to the process", (exchange) => exchange.unary(200, `{"from": "process"}`));
    const post = (model: string): Promise<Response> =>
      scene.fetch("/v1/chat/completions", { method: "POST", body: JSON.stringify({ model, user: "to the process" }) });
    const answer = await post("of-process");
    expect([answer.headers.get("x-modelrelay-worker"), await answer.text()]).toEqual(["process", `{"from": "process"}`]);
    const fromOld = post("of-v1");
    (await old.nextJob()).complete(200, { headers: { "content-type": "application/json" }, body: `{"from": "v1"}` });
    expect(await (await fromOld).text()).toBe(`{"from": "v1"}`);
  });

  test("[N6] the relay sees the client's own address, whatever the client says of it", () => expectOwnAddresses(scene));

  test("[N7] http leads to https at the same path, with the same method", async () => {
    for (const method of ["GET", "POST"]) {
      const response = await fetch(new URL("/v1/models?a=b", scene.front.httpUrl), { method, redirect: "manual" });
      expect([response.status, response.headers.get("location")]).toEqual([308, "https://relay.example.com/v1/models?a=b"]);
    }
  });

  test("[N7] the certificate is of TLS 1.2 or 1.3 and nothing older", async () => {
    const speaks = async (...version: readonly string[]): Promise<string> => {
      const args = ["--cacert", scene.certificates.caFile, ...version, "--write-out", "%{http_code}", "--output", "/dev/null", "--silent"];
      return await new Curl([...args, "--ciphers", "DEFAULT@SECLEVEL=0", new URL("/livez", scene.front.url).href]).done();
    };
    expect(await speaks("--tls-max", "1.1", "--tlsv1.0")).toBe("000");
    expect(await speaks("--tls-max", "1.2")).toBe("200");
    expect(await speaks("--tlsv1.3")).toBe("200");
  });

  test("[N8] what is the relay's passes as it is: request ids, credentials, errors, refusals of an upgrade", async () => {
    const answer = await scene.fetch("/v1/chat/completions", { method: "POST", body: "{", headers: { "x-request-id": "mine-1" } });
    expect([answer.status, answer.headers.get("x-request-id")]).toEqual([400, "mine-1"]);
    expect(await answer.json()).toMatchObject({ error: { code: "invalid_request" } });
    expect((await scene.fetch("/v1/worker/connect")).status).toBe(426);
    expect((await scene.fetch("/v1/models", { headers: { upgrade: "h2c", connection: "upgrade" } })).status).toBe(200);
    const headers = { authorization: "Bearer admin-token" };
    expect((await scene.fetch("/admin/workers", { headers })).status).toBe(200);
    // A page of its own, by the name that --public-url says.
    const page = { host: "relay.example.com", origin: "https://relay.example.com" };
    expect((await scene.fetch("/v1/models", { headers: page })).status).toBe(200);
  });

  test("[N8] the access log has the relay's request id, and no query", async () => {
    const line = () =>
      scene.front
        .log()
        .split("\n")
        .find((entry) => entry.includes("id=of-the-log"));
    await scene.fetch("/v1/models?worker_secret=canary", { headers: { "x-request-id": "of-the-log" } });
    await until(() => line() !== undefined, "the line is written");
    expect(line()).toContain('"GET /v1/models HTTP/1.1" 200');
    expect(scene.front.log()).not.toContain("canary");
  });

  test("[N9] the operators' API is there for the networks named in the file, however its path is written", async () => {
    const statuses = await fromAddress(scene, "127.0.0.4", [
      "/admin/workers",
      "/ADMIN/workers",
      "/%61dmin/workers",
      "/v1/../admin/workers",
    ]);
    expect(statuses).toEqual(["403", "404", "403", "403"]);
    expect(
      await fromAddress(scene, "127.0.0.4", ["/x\\..\\admin/workers", "/x/..%2fadmin/workers", "/x/..%5cadmin/workers", "//admin/workers"]),
    ).toEqual(["400", "403", "400", "403"]);
    expect(await fromAddress(scene, "127.0.0.1", ["/admin/workers"])).toEqual(["200"]);
  });

  test("[N10] a renewed certificate is there after a reload, and what runs goes on", async () => {
    const gate = Promise.withResolvers<void>();
    const events = streamEvents("chat");
    const reader = new SseReader(
      await scene.ask(async (exchange) => {
        const stream = await exchange.stream();
        await stream.send(events[0]!);
        await gate.promise;
        for (const event of events.slice(1)) await stream.send(event);
        await stream.end();
      }),
    );
    await reader.next();
    const shown = (): string => subjectOf(scene);
    expect(shown()).toContain("CN = front");
    const renewed = scene.certificates.issue("renewed");
    for (const [from, to] of [
      [renewed.certFile, "front.crt"],
      [renewed.keyFile, "front.key"],
    ] as const) {
      writeFileSync(scene.certificates.at(to), await Bun.file(from).text());
    }
    scene.front.reload();
    await until(() => shown().includes("CN = renewed"), "the new certificate is shown");
    gate.resolve();
    expect((await reader.rest()).length).toBe(events.length - 1);
    expect(reader.end?.kind).toBe("clean");
    expect(scene.worker.log.of("connection to proxy lost")).toEqual([]);
  });

  test(
    "[N11] a stream that says nothing for 70 s is kept, and so is an answer that takes as long",
    async () => {
      expect(await silences).toEqual([
        { comments: expect.any(Number), rest: "the end", end: "clean" },
        { status: 200, body: `{"slow": true}` },
      ]);
    },
    SILENCE_LIMIT_MS,
  );
});

async function silentStream(scene: Scene<Nginx>, nobodyWaits: Promise<void>): Promise<unknown> {
  const gate = Promise.withResolvers<void>();
  const response = await scene.ask(async (exchange) => {
    const stream = await exchange.stream();
    await stream.send("data: begun\n\n");
    await Promise.race([gate.promise, nobodyWaits]);
    await stream.send("data: the end\n\n");
    await stream.end();
  });
  const reader = new SseReader(response);
  await reader.next();
  const since = performance.now();
  let comments = 0;
  // The relay says something every 15 s, until it has said so for long enough.
  while (performance.now() - since < SILENCE_MS) {
    const event = await within(reader.next(), "a comment", 30_000);
    if (event?.comments[0] !== "keep-alive") throw new Error(`not a comment: ${JSON.stringify(event)}`);
    comments += 1;
  }
  gate.resolve();
  const [last] = await reader.rest();
  return { comments, rest: last?.data, end: reader.end?.kind };
}

async function silentAnswer(scene: Scene<Nginx>, nobodyWaits: Promise<void>): Promise<unknown> {
  const gate = Promise.withResolvers<void>();
  const response = scene.ask(
    async (exchange) => {
      await Promise.race([gate.promise, nobodyWaits]);
      await exchange.unary(200, `{"slow": true}`);
    },
    { stream: false },
  );
  const since = performance.now();
  let isOver = false;
  response.then(
    () => (isOver = true),
    () => (isOver = true),
  );
  await until(() => isOver || performance.now() - since > SILENCE_MS, "it is silent", SILENCE_LIMIT_MS);
  gate.resolve();
  const { status } = await response;
  return { status, body: await (await response).text() };
}

function subjectOf(scene: Scene<Nginx>): string {
  const command = ["openssl", "s_client", "-connect", scene.front.url.host, "-servername", "localhost"];
  return Bun.spawnSync(command, { stdin: new Uint8Array(), stderr: "pipe" }).stdout.toString();
}
