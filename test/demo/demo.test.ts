// The demo backend apart from its dialects: the other routes, its refusals, its pace, and how it stops.
import { expect, test } from "bun:test";
import { APIUserAbortError, NotFoundError as AnthropicNotFoundError } from "@anthropic-ai/sdk";
import { NotFoundError as OpenAINotFoundError } from "openai";
import { ManualClock } from "../support/manual-clock.ts";
import { SseReader } from "../support/sse-reader.ts";
import { failureOf, until, within } from "../support/until.ts";
import { startDemo } from "./clients.ts";

const SLOW = { tokensPerSecond: 5 };
const HI: { role: "user"; content: string }[] = [{ role: "user", content: "Hi" }];

test("[B1] completions: whole and streamed", async () => {
  await using demo = startDemo();
  const whole = await demo.openai.completions.create({ model: "demo", prompt: ["Once upon", "a time"] });
  expect(whole.choices[0]?.text).toContain("4 words: “Once upon\na time”");
  expect(whole.choices[0]?.finish_reason).toBe("stop");
  let text = "";
  let usage: unknown = null;
  const stream_options = { include_usage: true };
  const stream = await demo.openai.completions.create({ model: "demo", prompt: "Hi", max_tokens: 6, stream: true, stream_options });
  let reason: string | null = null;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.text ?? "";
    reason = chunk.choices[0]?.finish_reason ?? reason;
    usage = chunk.usage ?? usage;
  }
  expect(text).toStartWith("Hello");
  expect(reason).toBe("length");
  expect(usage).toMatchObject({ completion_tokens: 6 });
});

test("[B1] embeddings: the same vector as base64 and as numbers, near for texts that share words", async () => {
  await using demo = startDemo();
  const input = ["a red cat", "the red cat", "entirely different words"];
  const packed = await demo.openai.embeddings.create({ model: "demo", input });
  const plain = await demo.openai.embeddings.create({ model: "demo", input, encoding_format: "float" });
  expect(packed.data).toEqual(plain.data);
  const [a, b, c] = plain.data.map((entry) => entry.embedding);
  const product = (x: number[], y: number[]): number => x.reduce((sum, value, index) => sum + value * y[index]!, 0);
  expect(product(a!, a!)).toBeCloseTo(1, 5);
  expect(product(a!, b!)).toBeGreaterThan(product(a!, c!));
  const short = await demo.openai.embeddings.create({ model: "demo", input: [1, 2, 3], dimensions: 4 });
  expect(short.data[0]?.embedding.length).toBe(4);
});

test("[B1] rerank: the best fitting document first", async () => {
  await using demo = startDemo();
  const documents = ["nothing of the kind", { text: "a cat that is red" }, "red"];
  const response = await demo.post("/v1/rerank", { model: "demo", query: "red cat", documents, top_n: 2, return_documents: true });
  expect(await response.json()).toMatchObject({
    object: "list",
    results: [{ index: 2 }, { index: 1, document: { text: "a cat that is red" } }],
  });
});

test("[B2] the model list has one model, in both shapes, and it can be asked for by name", async () => {
  await using demo = startDemo();
  const ids: string[] = [];
  for await (const model of demo.openai.models.list()) ids.push(model.id);
  for await (const model of demo.anthropic.models.list()) ids.push(model.display_name);
  expect(ids).toEqual(["demo", "Demo backend (no model)"]);
  expect((await demo.openai.models.retrieve("demo")).object).toBe("model");
  expect((await demo.anthropic.models.retrieve("demo")).type).toBe("model");
  expect(await failureOf(demo.openai.models.retrieve("gpt-4"))).toBeInstanceOf(OpenAINotFoundError);
});

test("[B2] a model name that is not its own is refused in the dialect; default and none are its own", async () => {
  await using demo = startDemo();
  const notOpenAI = await failureOf(demo.openai.chat.completions.create({ model: "gpt-4", messages: HI }));
  expect(notOpenAI).toBeInstanceOf(OpenAINotFoundError);
  expect(notOpenAI).toMatchObject({ code: "model_not_found", type: "invalid_request_error", param: null });
  const notAnthropic = await failureOf(demo.anthropic.messages.create({ model: "claude-x", max_tokens: 5, messages: HI }));
  expect(notAnthropic).toBeInstanceOf(AnthropicNotFoundError);
  expect(notAnthropic).toMatchObject({ type: "not_found_error" });
  for (const model of ["default", undefined]) {
    const response = await demo.post("/v1/chat/completions", { model, messages: HI });
    expect(await response.json()).toMatchObject({ model: "demo" });
  }
});

test("[B7] what cannot be read is refused with 400 in the dialect, naming the field", async () => {
  await using demo = startDemo();
  const bad = await demo.post("/v1/chat/completions", '{"model": "demo",');
  expect([bad.status, await bad.json()]).toEqual([
    400,
    { error: { message: "The request body is not valid JSON.", type: "invalid_request_error", param: null, code: "invalid_request" } },
  ]);
  const wrong = await demo.post("/v1/messages", { model: "demo", messages: [{ role: "user", content: 7 }], max_tokens: 9 });
  expect(wrong.status).toBe(400);
  expect(await wrong.json()).toMatchObject({ type: "error", error: { message: expect.stringContaining("'messages.0.content'") } });
});

test("[B7] paths it does not have are 404, methods it does not take 405", async () => {
  await using demo = startDemo();
  expect((await demo.post("/v1/images", {})).status).toBe(404);
  const response = await fetch(new URL("/v1/messages", demo.demo.url));
  expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
});

test("[B8] it begins after the delay it was given and then speaks so many tokens a second", async () => {
  const clock = new ManualClock();
  await using demo = startDemo({ clock, tokensPerSecond: 10, firstTokenDelayMs: 500 });
  const events = new SseReader(await demo.post("/v1/chat/completions", { model: "demo", messages: HI, stream: true }));
  expect((await events.next())?.data).toContain('"role":"assistant"');
  for (const [due, token] of [
    [500, "Hell"],
    [100, "o"],
    [100, " from"],
  ] as const) {
    await until(() => clock.pending === 1, "the next token has its time");
    expect(clock.dueInMs).toEqual([due]);
    clock.advance(due);
    expect((await events.next())?.data).toContain(`"content":"${token}"`);
  }
  await events.cancel();
});

test("[B6] it falls silent when the client of a stream hangs up", async () => {
  await using demo = startDemo(SLOW);
  const stream = await demo.openai.chat.completions.create({ model: "demo", messages: HI, stream: true });
  for await (const chunk of stream) {
    if (chunk.choices[0]?.delta.content === "") continue;
    expect(demo.demo.speaking()).toBe(1);
    break;
  }
  await until(() => demo.demo.speaking() === 0, "it is silent");
});

test("[B6] it falls silent when the client of a whole answer hangs up", async () => {
  await using demo = startDemo(SLOW);
  const hangUp = new AbortController();
  const answer = demo.anthropic.messages.create({ model: "demo", max_tokens: 100, messages: HI }, { signal: hangUp.signal });
  await until(() => demo.demo.speaking() === 1, "it speaks");
  hangUp.abort();
  expect(await failureOf(answer)).toBeInstanceOf(APIUserAbortError);
  await until(() => demo.demo.speaking() === 0, "it is silent");
});

test("[B6] stopping it breaks off what it says", async () => {
  const demo = startDemo(SLOW);
  const stream = await demo.openai.responses.create({ model: "demo", input: "Hi", stream: true });
  const reading = (async () => {
    for await (const _ of stream);
  })();
  await until(() => demo.demo.speaking() === 1, "it speaks");
  const failure = failureOf(reading);
  await within(demo.demo.stop(), "it stops");
  expect(await failure).toBeInstanceOf(Error);
  expect(demo.demo.speaking()).toBe(0);
});

test("[B3] it counts as far as it is asked to, for a long stream", async () => {
  await using demo = startDemo();
  const answer = await demo.openai.responses.create({ model: "demo", input: "Please count to 300" });
  expect(answer.output_text).toContain("298 299 300");
});
