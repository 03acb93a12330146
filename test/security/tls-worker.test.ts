// A worker through wss with the relay's CA at hand, end to end, and what it says of a certificate it cannot trust.
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { WORK_OPTIONS } from "../../src/cli/work/options.ts";
import { parseOptions } from "../../src/cli/options/parse.ts";
import { toWorkConfig } from "../../src/cli/work/config.ts";
import * as answers from "../support/fake-backend-answers.ts";
import { startFakeBackend } from "../support/fake-backend.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { startTestWorker } from "../support/running-worker.ts";
import { until } from "../support/until.ts";
import { makeCertificates } from "./certificates.ts";

const MIB = 1024 * 1024;

test("[U10] with the relay's CA a worker serves through wss: a body of 5 MB, whole answers and streams, byte for byte", async () => {
  using certificates = makeCertificates();
  const { ca } = certificates;
  const events = Array.from({ length: 50 }, (_, index) => `data: {"n":${index},"text":"schön 🚀"}\n\n`);
  await using backend = startFakeBackend(answers.sse(events));
  await using relay = startTestRelay({ tls: certificates.issue("relay") });
  await using worker = startTestWorker({ relay, backend: { url: new URL(backend.url) }, tlsCa: ca });
  await relay.workers(1);
  await until(() => worker.status().protocol === "2026-11-bridge-v2", "the worker is registered");
  const body = JSON.stringify({ model: "m", stream: true, filler: "ü".repeat(2.5 * MIB) });
  const ask = async (): Promise<Response> => await fetch(relay.at("/v1/chat/completions"), { method: "POST", body, tls: { ca } });
  expect(await (await ask()).text()).toBe(events.join(""));
  expect(Buffer.from(backend.requests[0]!.body).equals(Buffer.from(body))).toBe(true);
  const large = JSON.stringify({ text: "x".repeat(5 * MIB) });
  backend.answer = answers.unary(200, large);
  expect(await (await ask()).text()).toBe(large);
}, 20_000);

const UNTRUSTED = [
  { what: "without --tls-ca", days: 2, altNames: "DNS:localhost,IP:127.0.0.1", hasCa: false, fix: /--tls-ca/ },
  { what: "with another CA", days: 2, altNames: "DNS:localhost,IP:127.0.0.1", hasCa: "another", fix: /--tls-ca/ },
  { what: "that has expired", days: -1, altNames: "DNS:localhost,IP:127.0.0.1", hasCa: true, fix: /expired.*--tls-cert/ },
  { what: "for another host", days: 2, altNames: "DNS:relay.example", hasCa: true, fix: /--proxy-url.*name/ },
] as const;

for (const { what, days, altNames, hasCa, fix } of UNTRUSTED) {
  test(`[U10] [D16] a certificate ${what}: one clear line that says what to do, and no hot loop`, async () => {
    using certificates = makeCertificates();
    using others = makeCertificates();
    await using relay = startTestRelay({ tls: certificates.issue("relay", { days, altNames }) });
    const clock = new ManualClock();
    const tlsCa = hasCa === false ? null : hasCa === "another" ? others.ca : certificates.ca;
    const backend = { url: new URL("http://127.0.0.1:9") };
    await using worker = startTestWorker({ relay, backend, tlsCa }, { clock });
    const said = () => worker.log.of("relay's certificate is not trusted");
    await until(() => said().length === 1, "it says so");
    expect(said()[0]?.level).toBe("warn");
    expect(String(said()[0]?.fields["fix"])).toMatch(fix);
    expect(worker.status().problem).toMatch(fix);
    expect(Number(said()[0]?.fields["retry_in_ms"])).toBeGreaterThanOrEqual(30_000);
    clock.advance(29_999);
    expect(worker.status().connection).toBe("waiting");
    clock.advance(3_001);
    await until(() => said().length === 2, "it tries again");
    expect(relay.log.of("worker registered")).toEqual([]);
  });
}

test("[U10] a relay without TLS at an https address is told apart from an untrusted one", async () => {
  await using relay = startTestRelay();
  const url = new URL(relay.url.href.replace("http:", "https:"));
  await using worker = startTestWorker({ relay: { url }, backend: { url: new URL("http://127.0.0.1:9") } });
  await until(() => worker.log.of("cannot reach the relay").length > 0, "it says so");
  expect(String(worker.log.of("cannot reach the relay")[0]?.fields["fix"])).toContain("http://");
});

test("[U10] [K4] the option reads the file; one that is not there, or holds no certificate, is refused by name", () => {
  using certificates = makeCertificates();
  const parse = (file: string) => toWorkConfig(parseOptions("work", WORK_OPTIONS, ["--worker-secret", "s", "--tls-ca", file], {})).tlsCa;
  expect(parse(certificates.caFile)).toBe(certificates.ca);
  expect(toWorkConfig(parseOptions("work", WORK_OPTIONS, ["--worker-secret", "s"], {})).tlsCa).toBeNull();
  expect(toWorkConfig(parseOptions("work", WORK_OPTIONS, ["--worker-secret", "s"], { TLS_CA: certificates.caFile })).tlsCa).toBe(
    certificates.ca,
  );
  writeFileSync(certificates.at("garbage"), "no PEM");
  expect(() => parse(certificates.at("garbage"))).toThrow("holds no PEM certificate");
  expect(() => parse(certificates.at("missing"))).toThrow(/--tls-ca.*missing cannot be read \(no such file or directory, ENOENT\)/);
});
