// `modelrelay doctor` from one end to the other: the answer through the relay, what stands around it, and the command itself.
import { describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDemoBackend } from "../../src/demo/demo.ts";
import { startSecured } from "../security/rig.ts";
import { politely } from "../support/fake-backend-answers.ts";
import { streamEvents } from "../support/fake-backend-events.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { startTestWorker } from "../support/running-worker.ts";
import { until } from "../support/until.ts";
import { startWholePath } from "../support/whole-path.ts";
import { diagnose, NOBODY } from "./doctor-run.ts";
import { runCli } from "./run-cli.ts";

const SECRET = { WORKER_SECRET: "test-secret" };

describe("through the relay", () => {
  test("[O7] [O12] everything is well: every finding in its order, exit code 0", async () => {
    const polite = politely(["m"]);
    await using path = await startWholePath(async (exchange) => {
      if (!exchange.text.includes("very long story")) return await polite(exchange);
      await (await exchange.stream()).send(streamEvents("chat")[1]!);
    });
    const args = ["doctor", "--proxy-url", path.relay.url.href, "--backend-url", path.backend.url];
    const { code, out, err } = await runCli(args, SECRET);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const lines = out.split("\n").map((line) => line.trimEnd());
    const shown = lines.flatMap((line) => /^ {2}(ok|warning|FAILED|skipped) +(.+?) {2,}\S/.exec(line)?.slice(1).join(" ") ?? []);
    expect(shown.join("; ")).toBe(
      "ok files; ok secrets; ok runtime; ok name; ok connection; skipped certificate; ok relay; ok clock; ok websocket; " +
        "ok secret; ok backend; ok models; ok answer; ok hang-up; ok relayed answer",
    );
    expect(lines.filter((line) => /^[TA-Z]/.test(line))).toEqual(["This machine", "The relay", "The backend", "Through the relay"]);
    expect(lines.at(-2)).toBe("14 of 15 checks ok, 1 skipped");
  });

  test("[O12] no worker yet, or none with the model: skipped, with what to start", async () => {
    await using relay = startTestRelay();
    const alone = await diagnose(["--proxy-url", relay.url.href]);
    expect(alone.of("relayed answer")).toMatchObject({ verdict: "skipped", detail: expect.stringContaining("start the worker") });
    await using path = await startWholePath();
    const other = await diagnose(["--proxy-url", path.relay.url.href, "--model", "elsewhere"]);
    expect(other.of("relayed answer").detail).toStartWith('no connected worker offers "elsewhere" yet');
  });

  test("[O12] [O14] keys required: skipped without one, asked with one, and a revoked one is told; none is shown", async () => {
    await using secured = await startSecured();
    const { relay } = secured;
    await using backend = startDemo(0);
    await using worker = startTestWorker({ relay, backend, models: ["demo"] });
    await relay.workers(1);
    expect(worker.status().models).toEqual(["demo"]);
    const without = await diagnose(["--proxy-url", relay.url.href]);
    expect(without.of("relayed answer")).toMatchObject({ verdict: "skipped", detail: expect.stringContaining("--api-key-file PATH") });
    const { key, secret } = await secured.made();
    const withKey = await diagnose(["--proxy-url", relay.url.href], { MODELRELAY_API_KEY: secret });
    expect(withKey.of("relayed answer")).toMatchObject({ verdict: "ok", detail: expect.stringContaining('"demo": first token after') });
    await secured.ring.revoke(key.id);
    const revoked = await diagnose(["--proxy-url", relay.url.href], { MODELRELAY_API_KEY: secret });
    expect(revoked.of("relayed answer")).toMatchObject({ verdict: "failed", fix: expect.stringContaining("keys list --all") });
    expect(withKey.out + revoked.out).not.toContain(secret);
  });

  test("[O12] a proxy that holds streams back is told from one that passes them on", async () => {
    await using backend = startDemo(60);
    await using relay = startTestRelay();
    await using worker = startTestWorker({ relay, backend, models: ["demo"] });
    await relay.workers(1);
    await until(() => worker.status().connection === "registered", "the worker knows it too");
    for (const isBuffering of [true, false]) {
      const proxy = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        async fetch(request) {
          const response = await fetch(relay.at(new URL(request.url).pathname), {
            method: request.method,
            body: (await request.text()) || null,
          });
          const headers = { "content-type": response.headers.get("content-type") ?? "" };
          return new Response(isBuffering ? await response.bytes() : response.body, { status: response.status, headers });
        },
      });
      try {
        const found = await diagnose(["--proxy-url", `http://127.0.0.1:${proxy.port}`, "--backend-url", backend.url.href]);
        expect(found.of("answer").verdict).toBe("ok");
        expect(found.of("relayed answer").verdict).toBe(isBuffering ? "warning" : "ok");
        if (isBuffering) expect(found.of("relayed answer").fix).toContain("proxy_buffering off");
      } finally {
        await proxy.stop(true);
      }
    }
  }, 40_000);
});

describe("the machine and the command", () => {
  test("[O14] a secret in a file that others may read, or on the command line, is a warning with the way out", async () => {
    const folder = mkdtempSync(join(tmpdir(), "doctor-secrets-"));
    try {
      const file = join(folder, "worker-secret");
      writeFileSync(file, "canary-of-a-secret\n");
      chmodSync(file, 0o644);
      const open = await diagnose(["--worker-secret-file", file]);
      expect(open.of("secrets")).toMatchObject({ verdict: "warning", fix: `chmod 600 ${file}` });
      chmodSync(file, 0o600);
      expect((await diagnose(["--worker-secret-file", file])).of("secrets").verdict).toBe("ok");
      const shown = await diagnose(["--worker-secret", "canary-of-a-secret"]);
      expect(shown.of("secrets")).toMatchObject({ verdict: "warning", fix: "give it in a file: --worker-secret-file" });
      expect(open.out + shown.out).not.toContain("canary");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("[O14] certificates that nobody looks at are a failure", async () => {
    const found = await diagnose([], { NODE_TLS_REJECT_UNAUTHORIZED: "0" });
    expect(found.of("runtime")).toMatchObject({ verdict: "failed", fix: expect.stringContaining("--tls-ca") });
  });

  test("[O7] it takes the config file of `work`, and refuses what is wrong with exit code 2", async () => {
    const folder = mkdtempSync(join(tmpdir(), "doctor-config-"));
    try {
      const config = join(folder, "work.toml");
      writeFileSync(
        config,
        `proxy_url = "${NOBODY}"\nmodels = ["m"]\nworker_name = "gpu"\nlog_level = "debug"\nmax_concurrency = 1000000\n`,
      );
      const { code, err } = await runCli(["doctor", "--config", config]);
      expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining("max_concurrency") });
      writeFileSync(
        config,
        `proxy_url = "${NOBODY}"\nbackend_url = "${NOBODY}"\nmodels = ["m"]\nworker_name = "gpu"\nlog_level = "debug"\n`,
      );
      const good = await runCli(["doctor", "--config", config, "--json"]);
      expect([good.code, good.err]).toEqual([1, ""]);
      expect(good.out).toContain("127.0.0.1:9 takes no connection");
    } finally {
      rmSync(folder, { recursive: true });
    }
    for (const args of [["--proxi-url", "x"], ["now"], ["--tls-ca", "/nonexistent.pem"], ["--worker-secret", "changeme"]]) {
      const { code, out, err } = await runCli(["doctor", ...args]);
      expect({ args, code, out }).toEqual({ args, code: 2, out: "" });
      expect(err).toMatch(/^modelrelay: .*\n$/);
    }
  });
});

function startDemo(tokensPerSecond: number): AsyncDisposable & { readonly url: URL } {
  const demo = startDemoBackend({ port: 0, tokensPerSecond });
  return { url: demo.url, [Symbol.asyncDispose]: () => demo.stop() };
}
