// A proxy on the way to the relay: what the log says when its variable, or the proxy itself, is of no use.
import { describe, expect, test } from "bun:test";
import { ManualClock } from "../support/manual-clock.ts";
import { startTestWorker, type TestWorker } from "../support/running-worker.ts";
import { type BackendCall, type ScriptedBackend, startScriptedBackend } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";

const RELAY = { url: new URL("http://relay.invalid") };
const PASSWORD = "canary";

async function startWorker(
  backend: ScriptedBackend,
  environment: Readonly<Record<string, string>>,
  relay: { readonly url: URL } = RELAY,
): Promise<TestWorker> {
  const worker = startTestWorker({ relay, backend }, { clock: new ManualClock(), environment });
  await until(() => worker.status().connection === "waiting", "the failure");
  expect(JSON.stringify(worker.log.lines)).not.toContain(PASSWORD);
  return worker;
}

describe("[D23] a variable that names no HTTP proxy is warned of once, by its name", () => {
  const unusable: readonly (readonly [environment: Readonly<Record<string, string>>, variable: string, cause: string])[] = [
    [{ ALL_PROXY: `socks5://user:${PASSWORD}@proxy:1080` }, "ALL_PROXY", "socks5:// is not spoken, only http:// and https://"],
    [{ http_proxy: `http://user:${PASSWORD}@proxy:port`, ALL_PROXY: "http://other" }, "http_proxy", "it is no URL"],
    [{ HTTP_PROXY: "http://" }, "HTTP_PROXY", "it is no URL"],
  ];
  for (const [environment, variable, cause] of unusable) {
    test(`${variable}: ${cause}`, async () => {
      await using backend = await startScriptedBackend();
      await using worker = await startWorker(backend, environment);
      const lines = worker.log.of("proxy variable is not usable");
      expect(lines.map(({ level }) => level)).toEqual(["warn"]);
      expect(lines[0]?.fields).toEqual({ variable, cause, fix: expect.stringContaining("without a proxy") });
    });
  }

  test("unless it does not count for this relay", async () => {
    await using backend = await startScriptedBackend();
    await using worker = await startWorker(backend, { ALL_PROXY: "socks5://proxy" }, { url: new URL("http://127.0.0.1:1") });
    await using other = await startWorker(backend, { ALL_PROXY: "socks5://proxy", NO_PROXY: "relay.invalid" });
    for (const { log } of [worker, other]) expect(log.of("proxy variable is not usable")).toEqual([]);
  });
});

describe("[D23] a proxy that is of no use is named, with its variable", () => {
  async function through(onCall: (call: BackendCall) => void): Promise<{ readonly worker: TestWorker; readonly host: string }> {
    await using backend = await startScriptedBackend();
    await using proxy = await startScriptedBackend({ onCall });
    const { host, port } = proxy.url;
    const worker = await startWorker(backend, { HTTP_PROXY: `http://user:${PASSWORD}@127.0.0.1:${port}` });
    return { worker, host };
  }

  const answers: readonly (readonly [status: number, message: string])[] = [
    [407, "proxy on the way wants credentials"],
    [403, "proxy on the way does not reach the relay"],
    [503, "proxy on the way does not reach the relay"],
  ];
  for (const [status, message] of answers) {
    test(`it answers ${status}`, async () => {
      const { worker, host } = await through((call) => call.head(status, "content-length: 0"));
      await using _ = worker;
      const [line] = worker.log.of(message);
      expect(line?.fields["fix"]).toContain(`${host} (HTTP_PROXY)`);
      expect(line?.fields["reason"]).toContain(String(status));
    });
  }

  test("it breaks off", async () => {
    const { worker, host } = await through((call) => call.reset());
    await using _ = worker;
    expect(worker.log.of("cannot reach the relay")[0]?.fields["fix"]).toContain(`the proxy ${host} (HTTP_PROXY)`);
  });

  test("it is not there", async () => {
    await using backend = await startScriptedBackend();
    await using worker = await startWorker(backend, { all_proxy: `user:${PASSWORD}@127.0.0.1:1` });
    expect(worker.log.of("cannot reach the relay")[0]?.fields["fix"]).toContain("the proxy 127.0.0.1:1 (all_proxy)");
  });

  test("what is behind it is still told apart", async () => {
    const { worker, host } = await through((call) =>
      call.write("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
    );
    await using _ = worker;
    const fix = worker.log.of("no relay at this address")[0]?.fields["fix"];
    expect(fix).toContain("--proxy-url");
    expect(fix).toContain(`the proxy ${host} (HTTP_PROXY)`);
  });
});
