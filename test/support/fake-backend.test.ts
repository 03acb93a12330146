// The fakes do what they say: otherwise no test that uses them proves anything.
import { afterEach, describe, expect, test } from "bun:test";
import * as answers from "./fake-backend-answers.ts";
import { type Answer } from "./fake-backend-exchange.ts";
import { PATHS, streamEvents, withCrlf } from "./fake-backend-events.ts";
import { startFakeBackendProcess } from "./fake-backend-child.ts";
import { type FakeBackend, startFakeBackend } from "./fake-backend.ts";
import { freshSeed, Random } from "./random.ts";
import { readEvents, SseReader } from "./sse-reader.ts";
import { failureOf, until, within } from "./until.ts";

const EVENTS = streamEvents("chat");

let backend: FakeBackend | null = null;

afterEach(async () => {
  await backend?.stop();
  backend = null;
});

function start(answer: Answer): FakeBackend {
  backend = startFakeBackend(answer);
  return backend;
}

async function ask(answer: Answer, init: RequestInit = {}): Promise<Response> {
  return await fetch(`${start(answer).url}${PATHS.chat}`, { method: "POST", body: "{}", ...init });
}

describe("requests", () => {
  test("arrive with method, path, headers and body, sized or chunked, one after another on one connection", async () => {
    const fake = start(answers.unary(200, "{}"));
    await fetch(`${fake.url}/a?b=1`, { method: "POST", body: "wörld", headers: { "X-Test": "yes" } });
    const chunked = new ReadableStream({
      start(controller) {
        controller.enqueue("one ");
        controller.enqueue("two");
        controller.close();
      },
    });
    await fetch(`${fake.url}/c`, { method: "PUT", body: chunked });
    const [first, second] = [await fake.nextExchange(), await fake.nextExchange()];
    expect(first.request.method).toBe("POST");
    expect(first.request.path).toBe("/a?b=1");
    expect(first.request.headers.get("x-test")).toBe("yes");
    expect(first.text).toBe("wörld");
    expect(second.text).toBe("one two");
    expect(fake.requests.length).toBe(2);
    expect(fake.accepted).toBe(1);
  });

  test("may be large, and may wait for leave to send their body", async () => {
    const fake = start(answers.unary(200, "{}"));
    const large = Buffer.alloc(8 * 1024 * 1024, "x");
    await fetch(`${fake.url}/sized`, { method: "POST", body: large });
    await fetch(`${fake.url}/chunked`, { method: "POST", body: new Blob([large]).stream() });
    for (const path of ["/sized", "/chunked"]) {
      const exchange = await fake.nextExchange();
      expect([exchange.request.path, exchange.request.body.length]).toEqual([path, large.length]);
    }
    let answer = "";
    const { hostname, port } = new URL(fake.url);
    const client = await Bun.connect({ hostname, port: Number(port), socket: { data: (_, bytes) => void (answer += bytes.toString()) } });
    client.write("POST /waiting HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n");
    await until(() => answer === "HTTP/1.1 100 Continue\r\n\r\n", "leave is given");
    client.write("{}");
    expect((await fake.nextExchange()).text).toBe("{}");
    client.end();
  });

  test("are answered by the script of their turn, model lists apart", async () => {
    const fake = start(answers.listing(["a", "b"], answers.inTurn(answers.unary(500, "first"), answers.unary(200, "second"))));
    const texts: string[] = [];
    for (const path of ["/v1/models", "/x", "/x", "/x"]) texts.push(await (await fetch(fake.url + path)).text());
    expect(texts.slice(1)).toEqual(["first", "second", "second"]);
    expect(JSON.parse(texts[0]!).data.map((model: { id: string }) => model.id)).toEqual(["a", "b"]);
  });
});

test("model lists may come late and change", async () => {
  const gate = Promise.withResolvers<void>();
  const models = ["early"];
  const fake = start(
    answers.after(
      gate.promise,
      answers.modelList(() => models),
    ),
  );
  const first = fetch(`${fake.url}/v1/models`);
  await until(() => fake.requests.length === 1, "the request is there");
  models.push("late");
  gate.resolve();
  expect(await (await first).text()).toContain("late");
  models.length = 0;
  expect(await (await fetch(`${fake.url}/v1/models`)).text()).toBe('{"object":"list","data":[]}');
});

describe("streams", () => {
  const slicings = { whole: "whole", "one byte": 1, random: new Random(freshSeed("slicing")) } as const;
  for (const [name, slicing] of Object.entries(slicings)) {
    test(`cut ${name} carry the same bytes`, async () => {
      const reader = new SseReader(await ask(answers.sse(EVENTS, { slicing })));
      const events = await reader.rest();
      expect(new TextDecoder().decode(reader.bytes)).toBe(EVENTS.join(""));
      expect(events.length).toBe(EVENTS.length);
      expect(reader.end?.kind).toBe("clean");
      // A few pieces may well arrive at once; so many do not.
      if (slicing === 1) expect(reader.reads).toBeGreaterThan(1);
    });
  }

  test("with CRLF line ends have the same events", async () => {
    const events = await readEvents(await ask(answers.sse(withCrlf(streamEvents("messages")), { slicing: 1 })));
    expect(events.map((event) => event.name)).toContain("message_stop");
    expect(events.length).toBe(streamEvents("messages").length);
  });

  test("wait for the test's gate before each event", async () => {
    const gates = EVENTS.map(() => Promise.withResolvers<void>());
    const reader = new SseReader(await ask(answers.sse(EVENTS, { pace: (index) => gates[index]!.promise })));
    for (const [index, gate] of gates.entries()) {
      expect(new TextDecoder().decode(reader.bytes)).toBe(EVENTS.slice(0, index).join(""));
      gate.resolve();
      await reader.next();
    }
    expect(await reader.next()).toBeNull();
  });

  test("that the other side gives up are seen as closed by it", async () => {
    const response = await ask(answers.hangMidStream(EVENTS.slice(0, 2)));
    const exchange = await backend!.nextExchange();
    expect(exchange.isClosedByPeer).toBe(false);
    await response.body?.cancel();
    await within(exchange.closedByPeer, "the backend sees the client go");
    await until(() => backend!.open === 0, "the connection is gone");
  });

  test("that nobody reads stall with a bounded number of bytes out", async () => {
    const response = await ask(answers.endlessStream(`data: ${"x".repeat(65_536)}\n\n`));
    const reader = response.body!.getReader();
    await reader.read();
    // fetch itself reads ahead without a limit, so a raw connection shows what a reader that stops looks like.
    await reader.cancel();
    const socket = await Bun.connect({ hostname: "127.0.0.1", port: Number(new URL(backend!.url).port), socket: { data() {} } });
    await backend!.nextExchange();
    socket.write("GET /v1/x HTTP/1.1\r\nhost: x\r\n\r\n");
    const exchange = await backend!.nextExchange();
    socket.pause();
    await until(() => exchange.isStalled, "the stream stalls");
    const stalledAt = exchange.bytesAccepted;
    expect(stalledAt).toBeGreaterThan(0);
    socket.resume();
    await until(() => exchange.bytesAccepted > stalledAt + 1_000_000, "the stream goes on");
    socket.terminate();
    await within(exchange.closedByPeer, "the backend sees the reset");
  });
});

describe("misbehaviour", () => {
  const broken: Readonly<Record<string, () => Answer>> = {
    "a body shorter than announced": () => answers.truncatedBody("0123456789", 4),
    "a stream without its last chunk": () => answers.unterminatedStream(EVENTS.slice(0, 2)),
    "a connection closed without a byte": answers.closeSilently,
    "a connection reset without a byte": answers.resetSilently,
    "half a status line": answers.partOfStatusLine,
    "no HTTP": answers.garbage,
  };
  for (const [name, answer] of Object.entries(broken)) {
    test(`${name} fails`, async () => {
      const text = ask(answer()).then(async (response) => await response.text());
      expect(await failureOf(text)).toBeInstanceOf(Error);
    });
  }

  test("a reset in the middle comes after what was read", async () => {
    const isRead = Promise.withResolvers<void>();
    const reader = new SseReader(await ask(answers.resetMidStream(EVENTS.slice(0, 1), isRead.promise)));
    expect((await reader.next())?.data).toContain("assistant");
    isRead.resolve();
    expect(await reader.next()).toBeNull();
    expect(reader.end?.kind).toBe("broken");
  });

  test("silence before the headers lasts until the client gives up", async () => {
    const giveUp = new AbortController();
    const response = ask(answers.hangBeforeHeaders(), { signal: giveUp.signal });
    const exchange = await backend!.nextExchange();
    giveUp.abort();
    expect(await failureOf(response)).toBeInstanceOf(DOMException);
    await within(exchange.closedByPeer, "the backend sees the client go");
  });

  test("statuses, redirects, compression and no content are as announced", async () => {
    const failed = await ask(answers.sse(['data: {"error":{}}\n\n'], { status: 429, headers: { "retry-after": "7" } }));
    expect([failed.status, failed.headers.get("retry-after")]).toEqual([429, "7"]);
    await backend?.stop();
    const moved = await ask(answers.redirect("http://elsewhere.example/"), { redirect: "manual" });
    expect([moved.status, moved.headers.get("location")]).toEqual([302, "http://elsewhere.example/"]);
    await backend?.stop();
    const squeezed = await ask(answers.gzipped("hello"));
    expect([squeezed.headers.get("content-encoding"), await squeezed.text()]).toEqual(["gzip", "hello"]);
    await backend?.stop();
    expect((await ask(answers.noContent())).status).toBe(204);
  });

  test("a stream ended by its connection is complete", async () => {
    expect(await (await ask(answers.closeDelimitedStream(EVENTS))).text()).toBe(EVENTS.join(""));
  });

  test("a huge body counts what was taken", async () => {
    const response = await ask(answers.hugeBody(3));
    const exchange = await backend!.nextExchange();
    expect((await response.arrayBuffer()).byteLength).toBe(3 * 1024 * 1024);
    expect(exchange.bytesAccepted).toBeGreaterThan(3 * 1024 * 1024);
  });
});

test("as a process it says what happens to it, and can be killed", async () => {
  await using child = await startFakeBackendProcess(["a", "b"]);
  expect(await (await fetch(`${child.url}/v1/models`)).text()).toContain('"b"');
  await child.nextReport("request");

  const answer = async (content: string, stream: boolean): Promise<Response> =>
    await fetch(child.url + PATHS.chat, { method: "POST", body: JSON.stringify({ messages: [{ role: "user", content }], stream }) });
  expect((await answer("fake:status:429", false)).status).toBe(429);
  expect(await child.nextReport("request")).toMatchObject({ marker: "fake:status:429", path: PATHS.chat });

  const endless = await answer("fake:endless", true);
  await endless.body?.cancel();
  expect((await child.nextReport("closed_by_peer"))["bytes_accepted"]).toBeGreaterThan(0);

  expect(await failureOf(answer("fake:die", false))).toBeInstanceOf(Error);
  expect(await child.exited).not.toBe(0);
});
