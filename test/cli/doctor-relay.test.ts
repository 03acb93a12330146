// `modelrelay doctor` on its way to the relay: each thing that can stand in it is told from the others, with what to do.
import { describe, expect, test } from "bun:test";
import { connect, createServer } from "node:net";
import { makeCertificates } from "../security/certificates.ts";
import { startSecured } from "../security/rig.ts";
import { unary } from "../support/fake-backend-answers.ts";
import { startFakeBackend } from "../support/fake-backend.ts";
import { startTestRelay, type TestRelay } from "../support/running-relay.ts";
import { startWholePath } from "../support/whole-path.ts";
import { diagnose } from "./doctor-run.ts";

const SECRET = { WORKER_SECRET: "test-secret" };
const BEYOND_CONNECTION = ["certificate", "relay", "clock", "websocket", "secret", "models", "answer", "hang-up", "relayed answer"];

describe("the connection", () => {
  test("[O8] a name that nobody has", async () => {
    const found = await diagnose(["--proxy-url", "http://relay.invalid:8080"], SECRET);
    expect(found.of("name")).toMatchObject({
      verdict: "failed",
      detail: expect.stringContaining("relay.invalid has no address (ENOTFOUND)"),
    });
    expect(found.of("connection")).toMatchObject({ verdict: "skipped", detail: "the name has no address" });
    expect(found.of("secret")).toMatchObject({ verdict: "skipped", detail: "there is no connection" });
    expect(found.code).toBe(1);
  });

  test("[O7] [O8] a relay that is down: what depends on it is skipped and says why, the backend is looked at all the same", async () => {
    const found = await diagnose([], SECRET);
    expect(found.of("connection")).toMatchObject({ verdict: "failed", detail: "127.0.0.1:9 takes no connection (ECONNREFUSED)" });
    expect(found.of("connection").fix).toContain("is the relay running");
    expect(found.with("failed")).toEqual(["connection", "backend"]);
    expect(found.with("skipped")).toEqual(BEYOND_CONNECTION);
    expect(found.checks.filter(({ verdict, detail }) => verdict === "skipped" && detail === "")).toEqual([]);
  });

  test("[O8] a port that speaks something else", async () => {
    const server = createServer((socket) => socket.on("error", () => {}).end("SSH-2.0-OpenSSH_9.9\r\n"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    try {
      const found = await diagnose(["--proxy-url", `http://127.0.0.1:${port}`], SECRET);
      expect(found.of("connection").verdict).toBe("ok");
      expect(found.of("relay")).toMatchObject({ verdict: "failed", fix: expect.stringContaining("--proxy-url") });
      expect(found.of("websocket").verdict).toBe("failed");
    } finally {
      server.close();
    }
  });

  test("[O8] a web server that is no relay", async () => {
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("<h1>It works!\u001b[2J") });
    try {
      const found = await diagnose(["--proxy-url", `http://127.0.0.1:${server.port}`], SECRET);
      expect(found.of("relay")).toMatchObject({
        verdict: "failed",
        detail: expect.stringMatching(/\/health answers 200, not as a relay does$/),
      });
      expect(found.of("websocket")).toMatchObject({
        verdict: "failed",
        detail: expect.stringContaining("answered with 200 instead of 101"),
      });
    } finally {
      await server.stop(true);
    }
  });

  test("[O8] a proxy that the variables name, and that is not there", async () => {
    const found = await diagnose(["--proxy-url", "http://relay.invalid:8080"], { ...SECRET, HTTP_PROXY: "http://user:canary@127.0.0.1:9" });
    expect(found.of("proxy")).toMatchObject({ verdict: "ok", detail: expect.stringContaining("through 127.0.0.1:9") });
    expect(found.of("connection")).toMatchObject({ verdict: "failed", fix: expect.stringContaining("NO_PROXY") });
    expect(found.out).not.toContain("canary");
    const around = await diagnose(["--proxy-url", "http://relay.invalid:8080"], {
      HTTP_PROXY: "http://127.0.0.1:9",
      NO_PROXY: "relay.invalid",
    });
    expect(around.of("name").verdict).toBe("failed");
  });
});

describe("a proxy on the way", () => {
  test("[O8] the whole way goes through it, the certificate included; one that refuses is told as such", async () => {
    using certificates = makeCertificates();
    await using relay = startTestRelay({ tls: certificates.issue("relay", { altNames: "DNS:relay.invalid", days: 90 }) });
    for (const isOpen of [true, false]) {
      await using proxy = await startTunnels(relay, isOpen);
      const env = { ...SECRET, HTTPS_PROXY: proxy.url, TLS_CA: certificates.caFile };
      const found = await diagnose(["--proxy-url", "https://relay.invalid"], env);
      expect(found.of("connection").verdict).toBe("ok");
      if (isOpen) {
        const checks = ["proxy", "certificate", "relay", "websocket", "secret"];
        expect(checks.map((check) => `${check} ${found.of(check).verdict}`)).toEqual(checks.map((check) => `${check} ok`));
      } else {
        expect(found.of("certificate").verdict).toBe("failed");
        expect(found.of("certificate").detail).toBe("the proxy lets nobody through to relay.invalid (403)");
      }
      expect(new Set(proxy.targets)).toEqual(new Set(["relay.invalid:443"]));
    }
  });
});

test("[O8] clocks that are apart are a warning", async () => {
  const health = JSON.stringify({ status: "ok", version: "9.9.9", workers_connected: 0, queue_depth: 0 });
  const hourAgo = new Date(Date.now() - 3_600_000).toUTCString();
  await using relay = startFakeBackend(unary(200, health, { "content-type": "application/json", date: hourAgo }));
  const found = await diagnose(["--proxy-url", relay.url]);
  expect(found.of("relay").detail).toContain("version 9.9.9 (this program is ");
  expect(found.of("clock").verdict).toBe("warning");
  expect(found.of("clock").detail).toMatch(/are 3(599|600|601|602) s apart$/);
});

describe("the certificate", () => {
  const CASES: readonly (readonly [
    what: string,
    terms: { days?: number; altNames?: string },
    ca: "own" | "another" | null,
    detail: RegExp,
    fix: RegExp,
  ])[] = [
    ["signed by nobody known", {}, null, /^not trusted \(\w+\); it ends on 20/, /--tls-ca FILE/],
    ["signed by another CA", {}, "another", /^not trusted/, /--tls-ca FILE/],
    ["that has run out", { days: -1 }, "own", /CERT_HAS_EXPIRED/, /renew/],
    ["for another name", { altNames: "DNS:elsewhere.example" }, "own", /ALTNAME/, /--proxy-url by a name/],
  ];
  for (const [what, terms, ca, detail, fix] of CASES) {
    test(`[O8] ${what}`, async () => {
      using certificates = makeCertificates();
      using others = makeCertificates();
      await using relay = startTestRelay({ tls: certificates.issue("relay", terms) });
      const file = ca === "own" ? certificates.caFile : others.caFile;
      const found = await diagnose(["--proxy-url", relay.url.href, ...(ca === null ? [] : ["--tls-ca", file])], SECRET);
      expect(found.of("certificate")).toMatchObject({
        verdict: "failed",
        detail: expect.stringMatching(detail),
        fix: expect.stringMatching(fix),
      });
      expect(found.of("secret")).toMatchObject({ verdict: "skipped", detail: "no connection with TLS came about" });
      expect(relay.log.of("worker rejected")).toEqual([]);
    });
  }

  test("[O8] trusted, with a warning where it ends soon; the WebSocket goes over TLS too", async () => {
    using certificates = makeCertificates();
    for (const [days, verdict] of [
      [2, "warning"],
      [90, "ok"],
    ] as const) {
      await using relay = startTestRelay({ tls: certificates.issue(`relay${days}`, { days }) });
      const found = await diagnose(["--proxy-url", relay.url.href.replace("https", "wss"), "--tls-ca", certificates.caFile], SECRET);
      expect(found.of("certificate").verdict).toBe(verdict);
      expect([found.of("relay").verdict, found.of("websocket").verdict, found.of("secret").verdict]).toEqual(["ok", "ok", "ok"]);
    }
  });

  test("[O8] https:// where the relay speaks http, and the other way round", async () => {
    using certificates = makeCertificates();
    await using plain = startTestRelay();
    await using secure = startTestRelay({ tls: certificates.issue("relay") });
    const https = await diagnose(["--proxy-url", plain.url.href.replace("http:", "https:")], SECRET);
    expect(https.of("certificate")).toMatchObject({ verdict: "failed", fix: expect.stringContaining("http://") });
    const http = await diagnose(["--proxy-url", secure.url.href.replace("https:", "http:")], SECRET);
    expect(http.of("relay")).toMatchObject({ verdict: "failed", fix: expect.stringContaining("https://") });
  });
});

describe("the WebSocket", () => {
  test("[O8] a reverse proxy that drops Upgrade: the relay is there, and the status that came says where it was lost", async () => {
    await using relay = startTestRelay();
    using proxy = startReverseProxy(relay);
    const found = await diagnose(["--proxy-url", proxy.url], SECRET);
    expect(found.of("relay").verdict).toBe("ok");
    expect(found.of("websocket")).toMatchObject({
      verdict: "failed",
      detail: "answered with 426 instead of 101; the relay was not asked for one: something in between drops the header Upgrade",
      fix: expect.stringContaining("proxy_set_header Upgrade $http_upgrade"),
    });
    expect(found.of("secret").verdict).toBe("skipped");
  });

  test("[O8] a proxy that answers for itself, and a path that is not the relay's", async () => {
    await using relay = startTestRelay();
    using proxy = startReverseProxy(relay, () => new Response("no", { status: 502 }));
    expect((await diagnose(["--proxy-url", proxy.url], SECRET)).of("websocket")).toMatchObject({
      verdict: "failed",
      detail: expect.stringContaining("502 instead of 101; something in between"),
    });
    const prefixed = await diagnose(["--proxy-url", `${relay.url.href}prefix`], SECRET);
    expect(prefixed.of("relay")).toMatchObject({ verdict: "failed", detail: expect.stringContaining("/prefix/health answers 404") });
    expect(prefixed.of("websocket")).toMatchObject({ verdict: "failed", fix: expect.stringContaining("path prefix") });
  });
});

describe("the secret", () => {
  test("[O9] accepted without ever being a worker: nothing is registered, and a waiting request does not go there", async () => {
    await using path = await startWholePath();
    const { relay } = path;
    const waiting = relay.post("/v1/chat/completions", { model: "other", messages: [] }).then((response) => response.status);
    await relay.requests(1);
    const found = await diagnose(["--proxy-url", relay.url.href, "--models", "other"], SECRET);
    expect(found.of("secret")).toMatchObject({ verdict: "ok", detail: expect.stringContaining("left again before registering") });
    expect(relay.log.of("worker registered").length).toBe(1);
    expect([relay.hub.fleet.workers.size, relay.hub.requests.size]).toEqual([1, 1]);
    expect(relay.log.lines.filter(({ level, message }) => level === "warn" && message !== "queue timeout")).toEqual([]);
    for (const id of relay.hub.requests.keys()) relay.hub.fail(id, "cancelled");
    expect(await waiting).toBeGreaterThanOrEqual(400);
  });

  test("[O9] a worker key is as good; a client's is refused", async () => {
    await using secured = await startSecured();
    const url = secured.relay.url.href;
    const worker = await secured.secret({ scopes: ["worker"] });
    expect((await diagnose(["--proxy-url", url], { WORKER_SECRET: worker })).of("secret").verdict).toBe("ok");
    const client = await secured.secret({ scopes: ["infer"] });
    expect((await diagnose(["--proxy-url", url], { WORKER_SECRET: client })).of("secret").verdict).toBe("failed");
  });

  test("[O9] [O14] a wrong one is refused with what to do, and shown nowhere", async () => {
    await using relay = startTestRelay();
    const found = await diagnose(["--proxy-url", relay.url.href], { WORKER_SECRET: "canary-of-a-secret" });
    expect(found.of("websocket").verdict).toBe("ok");
    expect(found.of("secret")).toMatchObject({
      verdict: "failed",
      detail: "relay refused this worker (1008 worker authentication failed)",
      fix: expect.stringContaining("'worker rejected' has the cause"),
    });
    expect(found.out + found.err).not.toContain("canary");
  });

  test("[O9] the right one with the wrong provider is told apart", async () => {
    await using relay = startTestRelay();
    const found = await diagnose(["--proxy-url", relay.url.href, "--provider", "elsewhere"], SECRET);
    expect(found.of("secret")).toMatchObject({ verdict: "failed", detail: "accepted, but not for the provider 'elsewhere'" });
    expect(found.of("secret").fix).toContain("--provider local");
  });

  test("[O9] too many wrong ones are told as such", async () => {
    await using relay = startTestRelay();
    for (let tries = 0; tries < 20; tries++) {
      await fetch(relay.at("/v1/models"), { headers: { authorization: `Bearer wrong-${tries}` } });
      const socket = new WebSocket(relay.at("/v1/worker/connect").replace("http", "ws"), {
        headers: { "X-Worker-Secret": `wrong-${tries}` },
      });
      await new Promise((resolve) => socket.addEventListener("close", resolve));
    }
    const found = await diagnose(["--proxy-url", relay.url.href], { WORKER_SECRET: "wrong-again" });
    expect(found.of("secret")).toMatchObject({ verdict: "failed", detail: expect.stringContaining("rate limit") });
  });

  test("[O9] without one the check is skipped with how to give one, and the upgrade is tried all the same", async () => {
    await using relay = startTestRelay();
    const found = await diagnose(["--proxy-url", relay.url.href]);
    expect(found.of("websocket").verdict).toBe("ok");
    expect(found.of("secret")).toMatchObject({ verdict: "skipped", detail: expect.stringContaining("--worker-secret-file PATH") });
  });
});

/** Passes every request on, but the headers of the connection; `onWorker` answers for the workers' path instead. */
function startReverseProxy(relay: TestRelay, onWorker?: () => Response): Disposable & { readonly url: string } {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      if (pathname === "/v1/worker/connect" && onWorker !== undefined) return onWorker();
      const headers = new Headers(request.headers);
      for (const name of ["connection", "upgrade", "sec-websocket-key", "sec-websocket-version"]) headers.delete(name);
      return await fetch(relay.at(`${pathname}${search}`), { method: request.method, headers });
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, [Symbol.dispose]: () => void server.stop(true) };
}

interface Tunnels extends AsyncDisposable {
  readonly url: string;
  /** What was asked for, as it was written. */
  readonly targets: readonly string[];
}

/** A proxy that takes CONNECT; whatever name it is asked for leads to the relay. A closed one answers 403. */
async function startTunnels(relay: TestRelay, isOpen: boolean): Promise<Tunnels> {
  const targets: string[] = [];
  const server = createServer((near) => {
    near.on("error", () => {});
    near.once("data", (bytes) => {
      targets.push(/^CONNECT (\S+)/.exec(bytes.toString("latin1"))?.[1] ?? "");
      if (!isOpen) return near.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
      const far = connect(Number(relay.url.port), relay.url.hostname, () => near.write("HTTP/1.1 200 Connected\r\n\r\n"));
      far.on("error", () => near.destroy());
      near.pipe(far).pipe(near);
      near.on("close", () => far.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
    targets,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}
