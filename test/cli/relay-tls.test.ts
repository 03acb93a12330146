// `health`, `status` and `keys` at a relay whose certificate comes from a CA of one's own, and past the proxies of the variables.
import { describe, expect, test } from "bun:test";
import { type Certificates, makeCertificates } from "../security/certificates.ts";
import { ADMIN_TOKEN, startSecured } from "../security/rig.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { type CliResult, runCli } from "./run-cli.ts";

const COMMANDS = ["health", "status", "keys list"];

async function ask(command: string, url: string, ca: string | null, env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
  const token = command === "health" ? {} : { MODELRELAY_ADMIN_TOKEN: ADMIN_TOKEN };
  return await runCli([...command.split(" "), "--url", url, ...(ca === null ? [] : ["--tls-ca", ca])], { ...token, ...env });
}

describe.each(COMMANDS)("%s", (command) => {
  test(`[O15] ${command} trusts the CA it is given, as a flag or a variable, and wss:// is https://`, async () => {
    using certificates = makeCertificates();
    await using secured = await startSecured({ relay: { tls: certificates.issue("relay") } });
    const url = secured.relay.url.href;
    const byFlag = await ask(command, url, certificates.caFile);
    expect([byFlag.code, byFlag.out + byFlag.err]).toEqual([0, expect.not.stringContaining("trusted")]);
    expect((await ask(command, url.replace("https", "wss"), null, { TLS_CA: certificates.caFile })).code).toBe(0);
  });

  test(`[O15] ${command} without it, or with another: one line that names --tls-ca`, async () => {
    using certificates = makeCertificates();
    using others = makeCertificates();
    await using relay = startTestRelay({ tls: certificates.issue("relay") });
    for (const ca of [null, others.caFile]) {
      const { code, out, err } = await ask(command, relay.url.href, ca);
      expect(code).toBe(1);
      expect(out + err).toMatch(
        /^(unhealthy|modelrelay): the certificate of https:\S+ is not trusted \(\w+\); --tls-ca PATH names the CA .*\n$/,
      );
    }
  });

  test.each<[string, Parameters<Certificates["issue"]>[1], RegExp]>([
    ["has run out", { days: -1 }, /not trusted \(CERT_HAS_EXPIRED\); renew it at the relay/],
    ["is for another name", { altNames: "DNS:elsewhere.example" }, /not trusted \(\w*ALTNAME\w*\); --url has to name the relay/],
  ])(`[O15] ${command}: a certificate that %s is not mistaken for an untrusted one`, async (_what, terms, line) => {
    using certificates = makeCertificates();
    await using relay = startTestRelay({ tls: certificates.issue("relay", terms) });
    const { code, out, err } = await ask(command, relay.url.href, certificates.caFile);
    expect([code, out + err]).toEqual([1, expect.stringMatching(line)]);
    expect((out + err).trimEnd()).not.toContain("\n");
  });

  test(`[O15] ${command}: https:// where no TLS is spoken, and a file that is no certificate`, async () => {
    await using relay = startTestRelay();
    const { code, out, err } = await ask(command, relay.url.href.replace("http:", "https:"), null);
    expect([code, out + err]).toEqual([1, expect.stringContaining("speaks no TLS; give its address with http://")]);
    const wrong = await ask(command, relay.url.href, import.meta.path);
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining("holds no PEM certificate")]);
  });

  test(`[O15] ${command} goes past the proxy of the variables to a relay of this machine`, async () => {
    await using secured = await startSecured();
    const proxy = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("a proxy", { status: 502 }) });
    try {
      const env = { HTTP_PROXY: `http://127.0.0.1:${proxy.port}`, HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` };
      expect((await ask(command, secured.relay.url.href, null, env)).code).toBe(0);
      const far = await ask(command, "http://relay.invalid:8080", null, env);
      expect([far.code, far.out + far.err]).toEqual([1, expect.stringContaining("answered 502")]);
    } finally {
      await proxy.stop(true);
    }
  });
});

test.each(COMMANDS)(
  "[O15] %s: who hangs up without an answer is told apart from nobody, and from a name that nobody has",
  async (command) => {
    const rude = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.end("\u0000\u0001 no HTTP\r\n\r\n") },
    });
    try {
      const { code, out, err } = await ask(command, `http://127.0.0.1:${rude.port}`, null);
      expect([code, out + err]).toEqual([1, expect.stringMatching(/closed the connection without an answer.* https:\/\//)]);
    } finally {
      rude.stop(true);
    }
    const { code, out, err } = await ask(command, "http://no-such-name.invalid", null);
    expect([code, out + err]).toEqual([1, expect.stringContaining("no host of this name")]);
  },
);

test("[O15] beside a relay with a certificate, health finds it by the relay's own variables; what shows a token wants the certificate to be trusted", async () => {
  using certificates = makeCertificates();
  const tls = certificates.issue("relay", { altNames: "DNS:relay.example" });
  await using secured = await startSecured({ relay: { tls } });
  const env = { LISTEN_ADDR: `0.0.0.0:${secured.relay.url.port}`, TLS_CERT: tls.certFile };
  expect(await runCli(["health"], env)).toMatchObject({ code: 0, err: "", out: expect.stringMatching(/^ok: https:/) });
  expect((await runCli(["health"], { ...env, TLS_CA: certificates.caFile })).out).toContain("not trusted");
  const listed = await runCli(["keys", "list"], { ...env, MODELRELAY_ADMIN_TOKEN: ADMIN_TOKEN });
  expect([listed.code, listed.err]).toEqual([1, expect.stringContaining("not trusted")]);
});
