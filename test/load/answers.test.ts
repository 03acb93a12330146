// What counts as an answer and what does not, with backends that misbehave on real sockets.
import { expect, test } from "bun:test";
import type { ApiName } from "../../src/load/apis.ts";
import * as backends from "../support/fake-backend-answers.ts";
import { streamEvents, withCrlf } from "../support/fake-backend-events.ts";
import type { Answer } from "../support/fake-backend-exchange.ts";
import { startFakeBackend } from "../support/fake-backend.ts";
import { until } from "../support/until.ts";
import { errorsOf, loadBackend } from "./rig.ts";

const CHAT = streamEvents("chat");
const refusal = (code: string): string => JSON.stringify({ error: { message: "No.", type: "t", code, param: null } });
const ended = (events: readonly string[]): Answer => backends.sse(events);

test.each<[string, Answer, string]>([
  ["a refusal with a code", backends.unary(429, refusal("queue_full")), "429 queue_full"],
  [
    "a refusal in Anthropic's shape",
    backends.unary(529, '{"type":"error","error":{"type":"overloaded_error","message":"No."}}'),
    "529 overloaded_error",
  ],
  ["a refusal without a code", backends.unary(502, "<html>Bad Gateway</html>"), "502"],
  ["a code that is no word", backends.unary(500, refusal("rm -rf /\u0007")), "500"],
  ["a redirect", backends.redirect("/elsewhere"), "302"],
  ["a 200 that is not JSON", backends.unary(200, "<html>Welcome</html>"), "not_json"],
  ["a 200 that is an error", backends.unary(200, refusal("model_broke")), "200 model_broke"],
  ["no answer at all", backends.closeSilently(), "closed"],
  ["a reset", backends.resetSilently(), "closed"],
  ["half a status line", backends.partOfStatusLine(), "closed"],
  ["something that is not HTTP", backends.garbage(), "not_http"],
  ["half a body", backends.truncatedBody('{"choices":[]}', 5), "broken_answer"],
  ["silence", backends.hangBeforeHeaders(), "timeout"],
])("[J3] %s is counted under a name of its own", async (_what, answer, kind) => {
  await using backend = startFakeBackend(answer);
  const load = loadBackend({ url: backend.url, requests: 3, timeoutMs: kind === "timeout" ? 50 : 10_000 });
  expect(await load.finished).toMatchObject({ started: 3 });
  expect(errorsOf(load.tally)).toEqual({ [kind]: 3 });
  expect(load.tally.ok).toBe(0);
  expect(backend.requests.length).toBe(3);
});

test.each<[ApiName, string, Answer, string]>([
  ["chat", "without [DONE]", ended(CHAT.slice(0, -1)), "no_end_event"],
  ["completions", "without [DONE]", ended(CHAT.slice(0, -1)), "no_end_event"],
  ["messages", "without message_stop", ended(streamEvents("messages").slice(0, -1)), "no_end_event"],
  ["responses", "without response.completed", ended(streamEvents("responses").slice(0, -1)), "no_end_event"],
  ["chat", "that is cut off", backends.unterminatedStream(CHAT.slice(0, 2)), "broken_stream"],
  ["chat", "that is cut off behind its end event", backends.unterminatedStream(CHAT), "broken_stream"],
  ["chat", "that stalls", backends.hangMidStream(CHAT.slice(0, 2)), "timeout"],
  ["chat", "with an error in it", ended([CHAT[0]!, `data: ${refusal("worker_lost")}\n\n`]), "error_event worker_lost"],
  ["chat", "with an error and [DONE]", ended([`data: ${refusal("worker_lost")}\n\n`, "data: [DONE]\n\n"]), "error_event worker_lost"],
  [
    "chat",
    "with an error, then cut off",
    backends.unterminatedStream([CHAT[0]!, `data: ${refusal("worker_lost")}\n\n`]),
    "error_event worker_lost",
  ],
  [
    "messages",
    "with an error event",
    ended(['event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"No."}}\n\n']),
    "error_event overloaded_error",
  ],
  [
    "messages",
    "with an error event that has no name",
    ended(['data: {"type":"error","error":{"type":"overloaded_error","message":"No."}}\n\n']),
    "error_event overloaded_error",
  ],
  [
    "responses",
    "that failed",
    ended(['event: response.failed\ndata: {"type":"response.failed","response":{"status":"failed","error":{"code":"server_error"}}}\n\n']),
    "error_event server_error",
  ],
  ["chat", "that is none", backends.unary(200, '{"choices":[]}'), "not_a_stream"],
])("[J4] a stream of %s %s is a failure, whatever its status", async (api, _what, answer, kind) => {
  await using backend = startFakeBackend(answer);
  const load = loadBackend({ url: backend.url, api, isStreaming: true, requests: 2, timeoutMs: kind === "timeout" ? 50 : 10_000 });
  await load.finished;
  expect(errorsOf(load.tally)).toEqual({ [kind]: 2 });
  expect(load.tally.ok).toBe(0);
});

test.each<[ApiName, string, Answer]>([
  ["chat", "as it should be", ended(CHAT)],
  ["chat", "with CRLF", ended(withCrlf(CHAT))],
  ["chat", "a byte at a time", backends.sse(CHAT, { slicing: 1 })],
  ["chat", "that ends with its connection", backends.closeDelimitedStream(CHAT)],
  [
    "chat",
    "with words about errors",
    ended([...streamEvents("chat", ['"error": {', 'data: {"error":1}']).slice(0, -1), "data: [DONE]\n\n"]),
  ],
  ["chat", "with an error that is null", ended(['data: {"error":null,"choices":[]}\n\n', "data: [DONE]\n\n"])],
  ["messages", "as it should be", ended(streamEvents("messages"))],
  ["messages", "without names", ended(streamEvents("messages").map((event) => event.replace(/^event: .*\n/, "")))],
  ["responses", "as it should be", ended(streamEvents("responses"))],
  ["responses", "that reached its limit", ended(['event: response.incomplete\ndata: {"type":"response.incomplete","response":{}}\n\n'])],
])("[J4] a stream of %s %s is a success", async (api, _what, answer) => {
  await using backend = startFakeBackend(answer);
  const load = loadBackend({ url: backend.url, api, isStreaming: true, requests: 4, concurrency: 2 });
  await load.finished;
  expect({ errors: errorsOf(load.tally), ok: load.tally.ok }).toEqual({ errors: {}, ok: 4 });
});

test("[J1] as many requests arrive as are reported, with errors, stalls and broken streams among them", async () => {
  let arrived = 0;
  const answers: readonly Answer[] = [
    ended(CHAT),
    backends.unary(503, refusal("no_workers")),
    backends.unterminatedStream(CHAT.slice(0, 3)),
    ended(CHAT),
    backends.hangMidStream(CHAT.slice(0, 1)),
    backends.closeSilently(),
  ];
  await using backend = startFakeBackend((exchange) => answers[arrived++ % answers.length]!(exchange));
  const load = loadBackend({ url: backend.url, isStreaming: true, requests: 120, concurrency: 8, timeoutMs: 1_000 });
  expect(await load.finished).toMatchObject({ started: 120, hungUp: 0 });
  expect(errorsOf(load.tally)).toEqual({ "503 no_workers": 20, broken_stream: 20, timeout: 20, closed: 20 });
  expect([load.tally.ok, load.tally.failed, backend.requests.length]).toEqual([40, 80, 120]);
}, 30_000);

test("[J2] the backend never sees more requests at a time than there may be, and connections are used again", async () => {
  let [running, highest] = [0, 0];
  await using backend = startFakeBackend(async (exchange) => {
    highest = Math.max(highest, ++running);
    await until(() => highest === 6, "six requests at a time");
    await exchange.unary(200, "{}");
    running--;
  });
  const load = loadBackend({ url: backend.url, requests: 60, concurrency: 6 });
  await load.finished;
  expect([highest, backend.accepted, backend.requests.length]).toEqual([6, 6, 60]);
  await until(() => backend.open === 0, "every connection is closed when the load is over");
});

test("[J7] chunks, pauses between them, tokens, queue times and workers are those of the answers", async () => {
  const usage = 'data: {"choices":[],"usage":{"completion_tokens":17}}\n\n';
  const headers = { "x-modelrelay-worker": "box%201", "x-modelrelay-queue-ms": "12" };
  const events = [": waiting\n\n", ...CHAT.slice(0, -1), usage, CHAT.at(-1)!];
  await using backend = startFakeBackend(backends.sse(events, { headers }));
  const load = loadBackend({ url: backend.url, isStreaming: true, requests: 3 });
  await load.finished;
  const { tally } = load;
  const chunks = CHAT.length - 1 + 1;
  expect([tally.chunks, tally.gap.count, tally.firstChunk.count, tally.firstByte.count]).toEqual([3 * chunks, 3 * (chunks - 1), 3, 3]);
  expect([tally.tokens, tally.counted, tally.queue.summary()?.max, tally.workers.get("box%201")]).toEqual([51, 3, 12, 3]);
});

test("[J7] a pause between two chunks is seen as one", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  await using backend = startFakeBackend(backends.sse(CHAT, { pace: (index) => (index === 2 ? promise : Promise.resolve()) }));
  const load = loadBackend({ url: backend.url, isStreaming: true, requests: 1 });
  await until(() => load.tally.chunks === 2, "two chunks came");
  const pausedAtMs = performance.now();
  await until(() => performance.now() - pausedAtMs > 60, "60 ms went by");
  resolve();
  await load.finished;
  expect(load.tally.gap.summary()!.max).toBeGreaterThanOrEqual(59);
  expect(load.tally.latency.summary()!.max).toBeGreaterThan(load.tally.firstChunk.summary()!.max + 59);
});

test("[J10] whom a load hangs up on sees its connection end", async () => {
  await using backend = startFakeBackend(backends.hangMidStream(CHAT.slice(0, 2)));
  const load = loadBackend({ url: backend.url, isStreaming: true, concurrency: 3 });
  await until(() => load.tally.chunks === 6, "three streams hang");
  expect(backend.open).toBe(3);
  load.stop();
  expect(await load.finished).toMatchObject({ started: 3, hungUp: 3 });
  await until(() => backend.open === 0, "three connections end");
  expect([load.tally.ok, load.tally.failed, load.tally.chunks]).toEqual([0, 0, 6]);
});
