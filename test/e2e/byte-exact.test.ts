// Whatever the backend says reaches the client as it was said, over the real worker: streams in every kind of slices, whole answers, errors.
import { expect, test } from "bun:test";
import { gzipped, listing, noContent, sse, unary } from "../support/fake-backend-answers.ts";
import { type Dialect, PATHS, streamEvents, wholeAnswer, withCrlf } from "../support/fake-backend-events.ts";
import type { Answer } from "../support/fake-backend-exchange.ts";
import type { Slicing } from "../support/fake-backend-slicing.ts";
import { freshSeed, Random } from "../support/random.ts";
import { SseReader } from "../support/sse-reader.ts";
import { startWholePath } from "../support/whole-path.ts";

const SEED = freshSeed("byte exactness");
const EMOJI = ["😀😁", "👩‍👩‍👧‍👦", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "é\u0301 and \\u00e9", '"quotes" \\n'];

async function answered(answer: Answer, path: string, body: object): Promise<{ readonly response: Response; readonly bytes: Buffer }> {
  await using rig = await startWholePath(listing(["m"], answer));
  const response = await rig.relay.post(path, { model: "m", ...body });
  return { response, bytes: Buffer.from(await response.arrayBuffer()) };
}

const STREAMS: ReadonlyMap<string, readonly string[]> = new Map([
  ["chat", streamEvents("chat", EMOJI)],
  ["responses", streamEvents("responses", EMOJI)],
  ["messages", streamEvents("messages", EMOJI)],
  ["CRLF", withCrlf(streamEvents("messages", EMOJI))],
  ["comments and odd fields", [": hello\n\n", "retry: 100\nid: 7\ndata: 1\ndata: 2\n\n", ":\n\n", "data\n\n", "\n\n", "unknown: x\n\n"]],
  ["line ends of three kinds", ["data: a\n\n", "data: b\r\n\r\n", "data: c\r\r", "data: d\n\r\n", "data: e\r\n\n"]],
  ["a byte order mark, and a rest without its empty line", ["\uFEFFdata: 1\n\n", "data: [DONE]"]],
]);
const SLICINGS: ReadonlyMap<string, Slicing> = new Map<string, Slicing>([
  ["whole", "whole"],
  ["1 byte", 1],
  ["3 bytes", 3],
  ["random pieces", new Random(SEED)],
]);

for (const [what, events] of STREAMS) {
  for (const [how, slicing] of SLICINGS) {
    test(`[H2] a stream of ${what}, cut into ${how}`, async () => {
      const { response, bytes } = await answered(sse(events, { slicing }), "/v1/chat/completions", { stream: true });
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe("text/event-stream");
      expect(bytes.toString()).toBe(events.join(""));
    });
  }
}

test("[H2] events of 64 KiB and far more pass, and small ones between them", async () => {
  const sizes = [65_530, 65_536, 65_537, 10, 300_000, 1, 1_000_000];
  const events = sizes.map((size, index) => `data: ${index}${"€".repeat(Math.ceil(size / 3))}\n\n`);
  const { bytes } = await answered(sse(events), "/v1/chat/completions", { stream: true });
  expect(Buffer.compare(bytes, Buffer.from(events.join("")))).toBe(0);
});

for (const dialect of ["chat", "responses", "messages"] satisfies readonly Dialect[]) {
  test(`[H2] a whole answer on ${PATHS[dialect]}`, async () => {
    const body = wholeAnswer(dialect, EMOJI);
    const { response, bytes } = await answered(unary(200, body), PATHS[dialect], {});
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(bytes.toString()).toBe(body);
  });
}

for (const status of [400, 401, 404, 422, 429, 500, 503, 599]) {
  for (const stream of [true, false]) {
    test(`[H2] the backend's ${status} to a request with stream: ${stream} stays a ${status} with its body and headers`, async () => {
      const body = `{"error":{"message":"überlastet","type":"x","code":${status}}}`;
      const { response, bytes } = await answered(unary(status, body, { "retry-after": "7" }), "/v1/responses", { stream });
      expect(response.status).toBe(status);
      expect(response.headers.get("retry-after")).toBe("7");
      expect(bytes.toString()).toBe(body);
    });
  }
}

test("[H2] a successful answer with another status than 200 keeps it", async () => {
  const { response, bytes } = await answered(unary(201, "{}"), "/v1/embeddings", {});
  expect([response.status, bytes.toString()]).toEqual([201, "{}"]);
});

test("[H2] a binary body passes unharmed, small and larger than what is held back", async () => {
  const random = new Random(SEED);
  for (const length of [0, 1, 1_000, 256 * 1024, 256 * 1024 + 1, 3_000_000]) {
    const body = Uint8Array.from({ length }, () => random.below(256));
    const { response, bytes } = await answered(unary(200, body, { "content-type": "audio/mpeg" }), "/v1/completions", {});
    expect(response.headers.get("content-type")).toBe("audio/mpeg");
    expect(Buffer.compare(bytes, body)).toBe(0);
  }
});

test("[H2] 204 has no body, and an empty 200 is empty", async () => {
  const none = await answered(noContent(), "/v1/rerank", {});
  expect([none.response.status, none.bytes.byteLength]).toEqual([204, 0]);
  const empty = await answered(unary(200, ""), "/v1/rerank", { stream: true });
  expect([empty.response.status, empty.bytes.byteLength]).toEqual([200, 0]);
});

test("[H2] a backend that compresses unasked reaches the client plain", async () => {
  const { response, bytes } = await answered(gzipped('{"a":"ü"}'), "/v1/chat/completions", {});
  expect(response.headers.get("content-encoding")).toBeNull();
  expect(bytes.toString()).toBe('{"a":"ü"}');
});

test("[H2] a stream that is not server-sent events passes as it comes", async () => {
  const gate = Promise.withResolvers<void>();
  await using rig = await startWholePath(
    listing(["m"], async (exchange) => {
      const stream = await exchange.stream(200, { "content-type": "application/x-ndjson" });
      await stream.send('{"a":');
      await gate.promise;
      await stream.send("1}\n");
      await stream.end();
    }),
  );
  const reader = new SseReader(await rig.relay.post("/v1/completions", { model: "m", stream: true }));
  const all = reader.rest();
  gate.resolve();
  await all;
  expect(reader.bytes.toString()).toBe('{"a":1}\n');
  expect(reader.end?.kind).toBe("clean");
});
