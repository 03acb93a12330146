// `modelrelay up` as a process: the demo, a real backend, a backend that fails, a port that is taken.
import { describe, expect, test } from "bun:test";
import type { ListenAddress } from "../../src/cli/options/addresses.ts";
import { renderIntroduction } from "../../src/cli/up/introduction.ts";
import { freeCandidates, startOnFirstFree } from "../../src/cli/up/relay.ts";
import { listing, politely, unary } from "../support/fake-backend-answers.ts";
import type { Answer } from "../support/fake-backend-exchange.ts";
import { startFakeBackend } from "../support/fake-backend.ts";
import { within } from "../support/until.ts";
import { type CliResult, RunningCli, runCli } from "./run-cli.ts";

/** `up --once` against a backend that answers so. */
async function upOnce(answer: Answer, args: readonly string[] = []): Promise<CliResult> {
  const backend = startFakeBackend(answer);
  try {
    return await runCli(["up", "--once", "--listen", "127.0.0.1:0", "--backend-url", backend.url, ...args]);
  } finally {
    await backend.stop();
  }
}

describe("--once", () => {
  test("[K23] up --demo --once prints the answer of the demo and its timings, and exits with 0", async () => {
    const { code, out, err } = await runCli(["up", "--demo", "--once", "--demo-speed", "0", "--listen", "127.0.0.1:0"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^Backend  http:\/\/127\.0\.0\.1:\d+ \(the built-in demo backend\), 1 model\n +demo\n/);
    expect(out).toContain("Asking demo: Say hello in one sentence.\n\nHello");
    expect(out).toMatch(/\nfirst token after \d+ ms, \d+ tokens in \d+ ms/);
  });

  test("[K20] a proxy of the variables is asked for nothing: all of it is on this machine", async () => {
    await using backend = startFakeBackend(politely(["fake"]));
    const args = ["up", "--once", "--backend-url", backend.url, "--listen", "127.0.0.1:0"];
    const { code, out } = await runCli(args, { HTTP_PROXY: "http://127.0.0.1:9", http_proxy: "http://127.0.0.1:9" });
    expect([code, out]).toEqual([0, expect.stringContaining("first token after")]);
  });

  test("[K23] up --once streams from a real backend through the relay", async () => {
    const { code, out, err } = await upOnce(politely(["qwen3:8b"], ["one", "two"]));
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("Asking qwen3:8b: Say hello in one sentence.");
    expect(out).toMatch(/one.*two.*first token after/s);
  });

  test("[K23] up --once exits with 1 when the answer fails, and says why", async () => {
    const { code, out } = await upOnce(listing(["m"], unary(500, '{"error":{"message":"out of memory"}}')));
    expect(code).toBe(1);
    expect(out).toContain("That failed: 500 out of memory\n");
  });

  test("[K23] up --once exits with 1 when the backend has no model", async () => {
    const { code, out } = await upOnce(politely([]));
    expect(code).toBe(1);
    expect(out).toContain("Not ready yet: the backend offers no model yet.");
  });

  test("[K20] only models that the backend lists can be named", async () => {
    const known = await upOnce(politely(["qwen3:8b", "gemma3:4b"]), ["--model", "gemma3:4b"]);
    expect({ code: known.code, asks: known.out.includes("Asking gemma3:4b:") }).toEqual({ code: 0, asks: true });
    const unknown = await upOnce(politely(["qwen3:8b"]), ["--model", "qwen3"]);
    expect({ code: unknown.code, err: unknown.err }).toEqual({
      code: 2,
      err: 'modelrelay: --model: the backend has no model "qwen3"; it has qwen3:8b\n',
    });
  });
});

test("[K22] up prints the lines to paste with its own address and a listed model, stays up, and drains on a stop signal", async () => {
  const backend = startFakeBackend(politely(["text-embedding-x", "qwen3:8b"]));
  await using relay = new RunningCli(["up", "--listen", "127.0.0.1:0", "--backend-url", backend.url]);
  try {
    const baseUrl = await relay.sees(/export ANTHROPIC_BASE_URL=(\S+)[^]*Stop with Ctrl\+C/);
    expect(relay.out).toContain("export ANTHROPIC_MODEL=qwen3:8b\n");
    const models = await fetch(`${baseUrl}/v1/models`);
    expect(await models.text()).toContain('"qwen3:8b"');
    relay.signal("SIGINT");
    expect(await within(relay.exit(), "the exit")).toBe(0);
    expect(relay.err).toBe("");
  } finally {
    await backend.stop();
  }
});

describe("a stop signal", () => {
  test("[K18] while up waits for a backend that is not there: it ends at once, and nothing more is said", async () => {
    const args = ["up", "--listen", "127.0.0.1:0", "--backend-url", "http://127.0.0.1:1"];
    await using relay = new RunningCli(args);
    await relay.sees(/backend does not answer/);
    relay.signal("SIGINT");
    expect([await within(relay.exit(), "the exit"), relay.out]).toEqual([0, ""]);
  });

  test.each([
    [[], 0],
    [["--once"], 1],
  ] as const)("[K18] [K23] while the first answer comes, with %j: the answer ends, no lines to paste follow", async (once, code) => {
    await using relay = new RunningCli(["up", "--demo", "--demo-speed", "5", "--listen", "127.0.0.1:0", ...once]);
    await relay.sees(/Asking demo: .*\n\nHello/);
    relay.signal("SIGINT");
    expect(await within(relay.exit(), "the exit")).toBe(code);
    expect(relay.out).toMatch(/\nThat failed: stopped\n$/);
  });
});

describe("the port", () => {
  test("[K21] the default port and those after it are tried, without the ones that a backend has", () => {
    const ports = freeCandidates({ host: "127.0.0.1", port: 8080 }, [8080, 8082]).map(({ port }) => port);
    expect(ports.slice(0, 3)).toEqual([8081, 8083, 8084]);
  });

  test("[K21] an address in use is passed over, any other trouble is not", async () => {
    const holder = startFakeBackend(unary(200, "{}"));
    const held = { host: "127.0.0.1", port: Number(new URL(holder.url).port) };
    const tried: number[] = [];
    const start = (listen: ListenAddress) => {
      tried.push(listen.port);
      return Bun.serve({ hostname: listen.host, port: listen.port, fetch: () => new Response("") });
    };
    try {
      const server = startOnFirstFree([held, { host: "127.0.0.1", port: 0 }], start);
      await server.stop(true);
      expect(tried).toEqual([held.port, 0]);
      expect(() => startOnFirstFree([held], start)).toThrow(/is in use, perhaps by another relay/);
      const broken = () => {
        throw new Error("something else");
      };
      expect(() => startOnFirstFree([held, held], broken)).toThrow("something else");
      expect(() => startOnFirstFree([], start)).toThrow(/no free port found/);
    } finally {
      await holder.stop();
    }
  });

  test("[K21] a port that was taken is mentioned beside the one the relay took instead", () => {
    const url = new URL("http://127.0.0.1:8080");
    const backend = { name: "llama-server or llamafile", url, models: ["m"], others: [{ name: "Ollama", url, models: [] }] };
    const listen = { host: "127.0.0.1", port: 8081 };
    expect(renderIntroduction({ backend, baseUrl: "http://127.0.0.1:8081", listen, takenPort: 8080, isPrivate: false })).toBe(
      [
        "Backend  http://127.0.0.1:8080 (llama-server or llamafile), 1 model",
        "           m",
        "Also     http://127.0.0.1:8080 (Ollama), 0 models; choose it with --backend-url",
        "OpenAI   http://127.0.0.1:8081/v1",
        "Claude   http://127.0.0.1:8081",
        "         Port 8080 is taken, so the relay took 8081; --listen chooses another.",
        "",
      ].join("\n"),
    );
  });

  test("[K21] an address that was given is never replaced", async () => {
    const holder = startFakeBackend(unary(200, "{}"));
    const { host } = new URL(holder.url);
    try {
      const { code, err } = await runCli(["up", "--demo", "--once", "--listen", host]);
      expect(code).toBe(1);
      expect(err).toStartWith(`modelrelay: cannot listen on ${host}: the address is in use`);
    } finally {
      await holder.stop();
    }
  });
});
