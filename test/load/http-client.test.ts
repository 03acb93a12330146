// The client of the load generator on real sockets: TLS, connections that are used again, and those that are not.
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { endpointOf, postBytes } from "../../src/load/endpoint.ts";
import { HttpClient } from "../../src/load/http-client.ts";
import { HttpReader, headerOf } from "../../src/load/http-reader.ts";
import { makeCertificates } from "../security/certificates.ts";
import { unary } from "../support/fake-backend-answers.ts";
import { startFakeBackend } from "../support/fake-backend.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { within } from "../support/until.ts";

/** The body of the answer, or the kind of failure. */
async function ask(client: HttpClient, url: URL, body = "{}"): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = "";
  await client.send(postBytes(url, body), {
    onBody: (bytes) => (text += bytes.toString()),
    onEnd: (status) => resolve(`${status} ${text}`),
    onFailed: resolve,
  });
  return await within(promise, "an answer or a failure");
}

async function askOnce(url: URL, ca: string | null = null): Promise<string> {
  const client = new HttpClient(endpointOf(url, ca), () => performance.now());
  try {
    return await ask(client, url);
  } finally {
    client.hangUp();
  }
}

function startSecureServer({ certFile, keyFile }: { readonly certFile: string; readonly keyFile: string }) {
  let requests = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    tls: { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") },
    fetch: async (request) => new Response(`${++requests} ${(await request.text()).length}`),
  });
  const at = (host: string): URL => new URL(`https://${host}:${server.port}/v1/chat/completions`);
  return { at, requests: () => requests, [Symbol.asyncDispose]: () => server.stop(true) };
}

test("[J8] over TLS a load goes to who the CA vouches for, by name and by address, over one connection", async () => {
  using certificates = makeCertificates();
  await using server = startSecureServer(certificates.issue("relay"));
  for (const host of ["localhost", "127.0.0.1"]) {
    const url = server.at(host);
    const client = new HttpClient(endpointOf(url, certificates.ca), () => performance.now());
    const before = server.requests();
    expect(await ask(client, url)).toBe(`200 ${before + 1} 2`);
    // More than fits into a socket at once.
    expect(await ask(client, url, " ".repeat(3_000_000))).toBe(`200 ${before + 2} 3000000`);
    client.hangUp();
  }
});

test("[J8] whom nobody vouches for, who is called otherwise and whose time is over gets no request", async () => {
  using certificates = makeCertificates();
  using others = makeCertificates();
  await using good = startSecureServer(certificates.issue("relay"));
  await using misnamed = startSecureServer(certificates.issue("other", { altNames: "DNS:other.example" }));
  await using expired = startSecureServer(certificates.issue("old", { days: -1 }));
  expect(await askOnce(good.at("localhost"))).toBe("tls UNABLE_TO_VERIFY_LEAF_SIGNATURE");
  expect(await askOnce(good.at("localhost"), others.ca)).toBe("tls UNABLE_TO_VERIFY_LEAF_SIGNATURE");
  expect(await askOnce(misnamed.at("localhost"), certificates.ca)).toBe("tls ERR_TLS_CERT_ALTNAME_INVALID");
  expect(await askOnce(misnamed.at("127.0.0.1"), certificates.ca)).toBe("tls ERR_TLS_CERT_ALTNAME_INVALID");
  expect(await askOnce(expired.at("localhost"), certificates.ca)).toBe("tls CERT_HAS_EXPIRED");
  expect([good, misnamed, expired].map((server) => server.requests())).toEqual([0, 0, 0]);
});

test("[J8] a certificate that vouches for itself is taken when it is named as the CA, and only then", async () => {
  using certificates = makeCertificates();
  const [certFile, keyFile] = [certificates.at("self.crt"), certificates.at("self.key")];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyFile];
  const names = ["-subj", "/CN=self", "-addext", "subjectAltName=DNS:localhost", "-days", "2"];
  expect(Bun.spawnSync(["openssl", "req", "-x509", ...key, "-out", certFile, ...names]).exitCode).toBe(0);
  await using server = startSecureServer({ certFile, keyFile });
  expect(await askOnce(server.at("localhost"), readFileSync(certFile, "utf8"))).toBe("200 1 2");
  expect(await askOnce(server.at("localhost"))).toMatch(/^tls [A-Z_]*SELF_SIGNED[A-Z_]*$/);
});

test("[J8] a server that does not speak TLS is said to be one", async () => {
  const plain = Bun.serve({ hostname: "127.0.0.1", port: 0, development: false, fetch: () => new Response("") });
  try {
    expect(await askOnce(new URL(`https://127.0.0.1:${plain.port}`))).toMatch(/^tls [A-Z_]+$/);
  } finally {
    await plain.stop(true);
  }
});

test("[J3] nobody there, and a name that does not exist, are told apart", async () => {
  const gone = startFakeBackend();
  await gone.stop();
  expect(await askOnce(new URL(gone.url))).toBe("connect ECONNREFUSED");
  expect(await askOnce(new URL("http://no-such-host.invalid"))).toMatch(/^connect [A-Z_]+$/);
});

test("[J2] a connection is used again, unless the server ends it or it was idle too long", async () => {
  await using backend = startFakeBackend(unary(200, "{}"));
  const clock = new ManualClock();
  const url = new URL(backend.url);
  const client = new HttpClient(endpointOf(url), () => clock.nowMs());
  for (let request = 0; request < 3; request++) expect(await ask(client, url)).toBe("200 {}");
  expect(backend.accepted).toBe(1);
  clock.advance(3_001);
  expect(await ask(client, url)).toBe("200 {}");
  expect(backend.accepted).toBe(2);
  backend.answer = unary(200, "{}", { connection: "close" });
  expect(await ask(client, url)).toBe("200 {}");
  expect(await ask(client, url)).toBe("200 {}");
  expect(backend.accepted).toBe(3);
  client.hangUp();
});

test("[J2] servers of HTTP/1.0 end each connection, unless they say otherwise", async () => {
  await using backend = startFakeBackend((exchange) => exchange.raw("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}"));
  const url = new URL(backend.url);
  const client = new HttpClient(endpointOf(url), () => performance.now());
  for (let request = 0; request < 3; request++) expect(await ask(client, url)).toBe("200 {}");
  expect(backend.accepted).toBe(3);
  backend.answer = (exchange) => exchange.raw("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\ncontent-length: 2\r\n\r\n{}");
  for (let request = 0; request < 3; request++) expect(await ask(client, url)).toBe("200 {}");
  expect(backend.accepted).toBe(4);
  client.hangUp();
});

test("[J3] a chunk without a size, or with one beyond all measure, is not HTTP", () => {
  const read = (body: string) => () => {
    const reader = new HttpReader({ onHead: () => {}, onBody: () => {}, onEnd: () => {} });
    reader.push(Buffer.from(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${body}`));
  };
  expect(read("\r\nhello\r\n")).toThrow("no size");
  expect(read("zz\r\nhello\r\n")).toThrow("no size");
  expect(read("ffffffffffffffff\r\n")).toThrow("no size");
  expect(read("5;name=value\r\nhello\r\n0\r\n\r\n")).not.toThrow();
});

test("[J3] what does not begin as HTTP is not waited for to end", () => {
  const reader = new HttpReader({ onHead: () => {}, onBody: () => {}, onEnd: () => {} });
  reader.push(Buffer.from("HTT"));
  expect(() => reader.push(Buffer.from("S"))).toThrow("no HTTP answer");
});

test("[J7] a header is found by its whole name, whatever its case", () => {
  const head = "HTTP/1.1 200 OK\r\nNot-X-Worker: a\r\nX-WORKER:  b \r\nEmpty:\r\nLast: c";
  expect(["x-worker", "empty", "last", "worker"].map((name) => headerOf(head, name))).toEqual(["b", "", "c", null]);
});
