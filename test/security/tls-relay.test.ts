// The relay's own certificate: https and wss, a new one taken up while it runs, and pairs that do not fit.
import { expect, test } from "bun:test";
import { connect } from "node:tls";
import { appendFileSync, copyFileSync, writeFileSync } from "node:fs";
import { UsageError } from "../../src/base/errors.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { startTestRelay, type TestRelay } from "../support/running-relay.ts";
import { until } from "../support/until.ts";
import { type Certificates, makeCertificates } from "./certificates.ts";

/** How often the relay looks at its files. */
const TLS_CHECK_INTERVAL_MS = 5_000;

interface Pair {
  readonly certFile: string;
  readonly keyFile: string;
}

/** The common name of the certificate a new connection gets. */
async function shownBy({ url }: TestRelay, { ca }: Certificates): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port: Number(url.port), ca, servername: "localhost" });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", () => resolve());
      socket.once("error", reject);
    });
    return String(socket.getPeerCertificate().subject.CN);
  } finally {
    socket.destroy();
  }
}

async function health(relay: TestRelay, { ca }: Certificates): Promise<number> {
  // Each on a connection of its own: a kept one has the certificate it began with.
  return (await fetch(relay.at("/health"), { tls: { ca }, headers: { connection: "close" } })).status;
}

/** A pair in place of another, in two steps as a renewal does it. */
function replace(old: Pair, { certFile, keyFile }: Pair): { readonly cert: () => void; readonly key: () => void } {
  return { cert: () => copyFileSync(certFile, old.certFile), key: () => copyFileSync(keyFile, old.keyFile) };
}

test("[U9] with a certificate the relay speaks https, and nothing but https", async () => {
  using certificates = makeCertificates();
  await using relay = startTestRelay({ tls: certificates.issue("first") });
  expect(relay.url.protocol).toBe("https:");
  expect(await health(relay, certificates)).toBe(200);
  expect(await shownBy(relay, certificates)).toBe("first");
  const untrusting = await fetch(relay.at("/health")).catch((error: unknown) => error);
  expect(untrusting).toBeInstanceOf(Error);
  const plain = await fetch(relay.at("/health").replace("https:", "http:")).catch((error: unknown) => error);
  expect(plain).not.toMatchObject({ status: 200 });
});

test("[U9] a new pair is taken up for new connections; half a renewal, garbage and missing files leave the old one", async () => {
  using certificates = makeCertificates();
  const clock = new ManualClock();
  const live = certificates.issue("live");
  await using relay = startTestRelay({ tls: live }, { clock });
  const next = replace(live, certificates.issue("second"));
  const kept = async (): Promise<void> => {
    clock.advance(TLS_CHECK_INTERVAL_MS);
    expect(await shownBy(relay, certificates)).toBe("live");
    expect(await health(relay, certificates)).toBe(200);
  };
  await kept();
  expect(relay.log.of("certificate reloaded")).toEqual([]);
  next.cert();
  await kept();
  expect(relay.log.of("certificate not reloaded, the old one stays")[0]?.fields["cause"]).toContain("does not belong to");
  writeFileSync(live.keyFile, "-----BEGIN PRIVATE KEY-----\ngarbage\n-----END PRIVATE KEY-----\n");
  await kept();
  writeFileSync(live.certFile, "");
  await kept();
  // A chain that is not written to its end: its first certificate alone would do.
  next.cert();
  next.key();
  appendFileSync(live.certFile, "-----BEGIN CERTIFICATE-----\nMIIB\n");
  await kept();
  next.cert();
  clock.advance(TLS_CHECK_INTERVAL_MS);
  expect(relay.log.of("certificate reloaded")).toHaveLength(1);
  await until(async () => (await shownBy(relay, certificates)) === "second", "new connections get the new certificate");
  expect(await health(relay, certificates)).toBe(200);
});

test("[U9] a reload cuts nobody off: a stream that runs goes on to its end", async () => {
  using certificates = makeCertificates();
  const clock = new ManualClock();
  const live = certificates.issue("live");
  await using relay = startTestRelay({ tls: live, heartbeatIntervalMs: 600_000 }, { clock });
  await using worker = await startTlsWorker(relay, certificates);
  const response = await (async () => {
    const asked = fetch(relay.at("/v1/chat/completions"), {
      method: "POST",
      body: '{"model":"m","stream":true}',
      tls: { ca: certificates.ca },
    });
    const attempt = await worker.nextAttempt();
    worker.start(attempt);
    worker.data(attempt, "data: 1\n\n");
    return { attempt, answer: await asked };
  })();
  const { cert, key } = replace(live, certificates.issue("second"));
  cert();
  key();
  clock.advance(TLS_CHECK_INTERVAL_MS);
  await until(async () => (await shownBy(relay, certificates)) === "second", "the new certificate is there");
  worker.data(response.attempt, "data: 2\n\n");
  worker.end(response.attempt);
  expect(await response.answer.text()).toBe("data: 1\n\ndata: 2\n\n");
});

test("[U9] what does not fit is refused at start, by its flag and file", () => {
  using certificates = makeCertificates();
  const [one, two] = [certificates.issue("one"), certificates.issue("two")];
  writeFileSync(certificates.at("garbage"), "no PEM");
  const cases: readonly (readonly [Pair, string])[] = [
    [{ ...one, keyFile: two.keyFile }, "does not belong to the certificate in"],
    [{ ...one, certFile: certificates.at("garbage") }, "--tls-cert"],
    [{ ...one, keyFile: certificates.at("garbage") }, "--tls-key"],
    [{ certFile: one.keyFile, keyFile: one.certFile }, "--tls-cert"],
    [{ ...one, certFile: certificates.at("missing") }, "--tls-cert"],
    [{ ...one, keyFile: certificates.at("missing") }, "--tls-key"],
  ];
  for (const [tls, words] of cases) {
    expect(() => startTestRelay({ tls })).toThrow(UsageError);
    expect(() => startTestRelay({ tls })).toThrow(words);
  }
});

/** The least of a v2 worker, over wss. */
async function startTlsWorker(relay: TestRelay, { ca }: Certificates) {
  const address = relay.at("/v1/worker/connect?provider=local").replace("https:", "wss:");
  const socket = new WebSocket(address, { headers: { "X-Worker-Secret": "test-secret" }, tls: { ca } });
  const attempts: number[] = [];
  socket.addEventListener("message", ({ data }) => {
    const message: unknown = typeof data === "string" ? JSON.parse(data) : null;
    if (typeof message === "object" && message !== null && "attempt" in message) attempts.push(Number(message.attempt));
  });
  await new Promise((resolve) => socket.addEventListener("open", resolve));
  const send = (message: object): void => socket.send(JSON.stringify(message));
  const offer = { models: ["m"], max_concurrent: 1, protocols: ["2026-11-bridge-v2"] };
  send({ type: "register", worker_name: "box", ...offer });
  await relay.workers(1);
  return {
    nextAttempt: async () => {
      await until(() => attempts.length > 0, "a request comes");
      return attempts[0]!;
    },
    start: (attempt: number) =>
      send({ type: "response_start", attempt, status_code: 200, headers: { "content-type": "text/event-stream" } }),
    data: (attempt: number, text: string) => socket.send(Buffer.from([2, 0, 0, 0, attempt, ...Buffer.from(text)])),
    end: (attempt: number) => send({ type: "response_end", attempt }),
    [Symbol.asyncDispose]: async () => socket.terminate(),
  };
}
