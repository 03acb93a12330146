// `modelrelay doctor` at the backend: what it lists, whether it streams, whether it stops when its client hangs up.
import { describe, expect, test } from "bun:test";
import { hangBeforeHeaders, listing, politely, sse, unary } from "../support/fake-backend-answers.ts";
import { streamEvents } from "../support/fake-backend-events.ts";
import type { Answer } from "../support/fake-backend-exchange.ts";
import { bodyText } from "../support/fake-backend-request.ts";
import { type FakeBackend, startFakeBackend } from "../support/fake-backend.ts";
import { startTestRelay } from "../support/running-relay.ts";
import { until } from "../support/until.ts";
import { diagnose, type Diagnosis } from "./doctor-run.ts";

const STORY = "very long story";

async function at(backend: FakeBackend, ...args: readonly string[]): Promise<Diagnosis> {
  return await diagnose(["--backend-url", backend.url, ...args]);
}

describe("what it lists", () => {
  test("[O10] models as OpenAI lists them, with those asked for among them or not", async () => {
    await using backend = startFakeBackend(politely(["qwen3:8b", "llama3"]));
    const found = await at(backend);
    expect(found.of("backend")).toMatchObject({ verdict: "ok", detail: `${backend.url} lists models at /v1/models` });
    expect(found.of("models")).toMatchObject({ verdict: "ok", detail: '2 listed: "qwen3:8b", "llama3"' });
    expect((await at(backend, "--models", "llama3,*")).of("models")).toMatchObject({ verdict: "ok", detail: '"llama3": all there' });
    const wrong = await at(backend, "--models", "llama3,qwen3-8b");
    expect(wrong.of("models")).toMatchObject({
      verdict: "failed",
      detail: 'not there: "qwen3-8b"',
      fix: expect.stringContaining('"qwen3:8b"'),
    });
    expect(wrong.code).toBe(1);
  });

  test("[O10] https:// in front of a backend without a certificate", async () => {
    using backend = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => Response.json({ data: [] }) });
    const found = await diagnose(["--backend-url", `https://127.0.0.1:${backend.port}`]);
    expect(found.of("backend")).toMatchObject({
      verdict: "failed",
      detail: expect.stringMatching(/^https:\S+ speaks no TLS/),
      fix: "write --backend-url with http://",
    });
  });

  test("[O10] models as Ollama lists them", async () => {
    await using backend = startFakeBackend(async (exchange) => {
      const { path } = exchange.request;
      if (path === "/api/tags") return await exchange.unary(200, '{"models":[{"name":"gemma3:4b"}]}');
      return await (path.startsWith("/v1/models") ? unary(404, "404 page not found") : politely())(exchange);
    });
    const found = await at(backend);
    expect(found.of("backend")).toMatchObject({ verdict: "ok", detail: expect.stringContaining("/api/tags") });
    expect(found.of("models").detail).toBe('1 listed: "gemma3:4b"');
    expect(found.of("answer")).toMatchObject({ verdict: "ok", detail: expect.stringContaining('"gemma3:4b": first token after') });
  });

  test.each<[string, Answer, string, string]>([
    ["wants a key", unary(401, "{}"), "wants a key (401)", "--backend-api-key-file"],
    ["is not well", unary(500, "{}"), "/v1/models answers 500", "starting"],
  ])("[O10] one that %s", async (_what, answer, detail, fix) => {
    await using backend = startFakeBackend(answer);
    const found = await at(backend);
    expect(found.of("backend")).toMatchObject({
      verdict: "failed",
      detail: expect.stringContaining(detail),
      fix: expect.stringContaining(fix),
    });
    expect(found.with("skipped")).toEqual(expect.arrayContaining(["models", "answer", "hang-up"]));
  });

  test("[O10] [O14] its key is sent, and one it refuses is told without being shown", async () => {
    await using backend = startFakeBackend(async (exchange) => {
      const isRight = exchange.request.headers.get("authorization") === "Bearer canary-right";
      await (isRight ? politely() : unary(403, "{}"))(exchange);
    });
    const right = await diagnose(["--backend-url", backend.url], { BACKEND_API_KEY: "canary-right" });
    expect([right.of("backend").verdict, right.of("answer").verdict]).toEqual(["ok", "ok"]);
    const wrong = await diagnose(["--backend-url", backend.url], { BACKEND_API_KEY: "canary-wrong" });
    expect(wrong.of("backend").detail).toEndWith("refuses the key (403)");
    expect(right.out + wrong.out).not.toContain("canary");
  });

  test("[O10] none listed, no list at all, and the relay itself", async () => {
    await using empty = startFakeBackend(politely([]));
    expect((await at(empty)).of("models")).toMatchObject({ verdict: "warning", fix: expect.stringContaining("--models") });
    const named = await at(empty, "--models", "m");
    expect([named.of("models").verdict, named.of("answer").verdict]).toEqual(["warning", "ok"]);
    await using other = startFakeBackend(unary(200, "<html>"));
    expect((await at(other)).of("backend")).toMatchObject({ verdict: "warning", detail: expect.stringContaining("lists models neither") });
    await using relay = startTestRelay();
    const found = await diagnose(["--backend-url", relay.url.href, "--proxy-url", relay.url.href]);
    expect(found.of("backend")).toMatchObject({ verdict: "failed", detail: expect.stringContaining("round in circles") });
    expect((await diagnose(["--backend-url", relay.url.href])).of("backend").detail).toContain("is a relay, not a model server");
  });

  test("[O10] none there: another one of this machine is looked at instead where nobody named it, else named", async () => {
    // One of the usual ports; where it is taken, its owner is found instead.
    const port = 5_001;
    using server = backendAt(port);
    const byDefault = await diagnose([], { BACKEND_URL: "" });
    expect(byDefault.of("backend")).toMatchObject({
      verdict: "warning",
      fix: expect.stringMatching(/^give the worker --backend-url http/),
    });
    const named = await diagnose([]);
    expect(named.of("backend").verdict).toBe("failed");
    expect(named.of("backend").fix).toContain("found instead: ");
    if (server !== null) expect(named.of("backend").fix).toContain(`http://127.0.0.1:${port}`);
  });
});

describe("the streamed answer", () => {
  test.each<[string, Answer, string]>([
    ["an error", unary(400, '{"error":{"message":"no such template\\u001b[2J"}}'), '"fake": 400 no such template\\u001b[2J'],
    ["an answer that is not streamed", unary(200, '{"choices":[]}', { "content-type": "application/json" }), "whole, not as a stream"],
    ["an answer without its end", sse(streamEvents("chat").slice(0, 3)), "ended before it was complete"],
  ])("[O11] %s is a failure, and there is nothing to hang up on", async (_what, answer, detail) => {
    await using backend = startFakeBackend(listing(["fake"], answer));
    const found = await at(backend);
    expect(found.of("answer")).toMatchObject({ verdict: "failed", detail: expect.stringContaining(detail) });
    expect(found.of("hang-up").verdict).toBe("skipped");
    expect(found.code).toBe(1);
  });

  test("[O11] --model names the one that is asked, and few tokens are asked for", async () => {
    await using backend = startFakeBackend(politely(["one", "two"]));
    expect((await at(backend, "--model", "two")).of("answer").detail).toStartWith('"two": first token after');
    const asked = backend.requests.find(({ path }) => path === "/v1/chat/completions");
    expect(JSON.parse(bodyText(asked!))).toMatchObject({ model: "two", stream: true, max_tokens: 64 });
  });

  test("[O13] whatever hangs, at the relay and at the backend, it ends", async () => {
    await using backend = startFakeBackend(listing(["fake"], hangBeforeHeaders()));
    await using relay = startFakeBackend(hangBeforeHeaders());
    const startMs = performance.now();
    const found = await at(backend, "--proxy-url", relay.url);
    expect(performance.now() - startMs).toBeLessThan(40_000);
    expect(found.of("answer")).toMatchObject({ verdict: "failed", detail: '"fake": no whole answer within 18 s' });
    expect(found.of("relay")).toMatchObject({ verdict: "failed", detail: expect.stringContaining("no answer in time") });
    expect(found.of("websocket")).toMatchObject({ verdict: "failed", detail: expect.stringContaining("no answer in 6 s") });
  }, 60_000);
});

describe("hanging up", () => {
  test("[O11] a server whose /slots shows that it stopped", async () => {
    let isBusy = false;
    await using backend = startFakeBackend(async (exchange) => {
      if (exchange.request.path === "/slots") return await exchange.unary(200, JSON.stringify([{ is_processing: isBusy }]));
      if (!exchange.text.includes(STORY)) return await politely()(exchange);
      isBusy = true;
      await (await exchange.stream()).send(streamEvents("chat")[1]!);
      await exchange.closedByPeer;
      isBusy = false;
    });
    expect((await at(backend)).of("hang-up")).toMatchObject({
      verdict: "ok",
      detail: expect.stringMatching(/free again within \d+ ms, says/),
    });
    expect(isBusy).toBe(false);
  });

  test("[O11] a server without /slots: only that a second request is answered, which it says", async () => {
    let hungUp = 0;
    await using backend = startFakeBackend(async (exchange) => {
      if (exchange.request.path === "/slots") return await exchange.unary(501, '{"error":{}}');
      if (!exchange.text.includes(STORY)) return await politely()(exchange);
      await (await exchange.stream()).send(streamEvents("chat")[1]!);
      await exchange.closedByPeer;
      hungUp++;
    });
    expect((await at(backend)).of("hang-up")).toMatchObject({
      verdict: "ok",
      detail: expect.stringContaining("that proves little"),
    });
    expect(hungUp).toBe(1);
    await until(() => backend.open === 0, "every connection to the backend is closed");
  });

  test("[O11] servers that go on: one says so itself, of the other a second request tells", async () => {
    await using telling = startFakeBackend(oneSlotForGood(true));
    await using silent = startFakeBackend(oneSlotForGood(false));
    const [told, guessed] = await Promise.all([at(telling), at(silent)]);
    expect(told.of("hang-up").verdict).toBe("failed");
    expect(told.of("hang-up").detail).toEndWith("10 s after the hang-up, says its /slots");
    expect(guessed.of("hang-up").verdict).toBe("failed");
    expect(guessed.of("hang-up").detail).toBe("after the hang-up a second request was not answered within 10 s");
    expect([told.code, guessed.code]).toEqual([1, 1]);
  }, 60_000);
});

/** A server that works on its first story for ever, whoever hangs up, and has no other slot. */
function oneSlotForGood(hasSlots: boolean): Answer {
  const polite = politely();
  let isTaken = false;
  return async (exchange) => {
    const { path } = exchange.request;
    if (path === "/slots") return await exchange.unary(hasSlots ? 200 : 404, JSON.stringify([{ is_processing: isTaken }]));
    if (path === "/v1/models") return await polite(exchange);
    if (isTaken) return;
    if (!exchange.text.includes(STORY)) return await polite(exchange);
    isTaken = true;
    await (await exchange.stream()).send(streamEvents("chat")[1]!);
  };
}

/** A model server at this port; null where somebody else has it. */
function backendAt(port: number): (Disposable & { readonly port: number }) | null {
  try {
    const server = Bun.serve({ hostname: "127.0.0.1", port, fetch: () => Response.json({ data: [{ id: "there" }] }) });
    return { port, [Symbol.dispose]: () => void server.stop(true) };
  } catch {
    return null;
  }
}
