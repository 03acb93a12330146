// The demo backend through the OpenAI SDK's responses.
import { expect, test } from "bun:test";
import type { ResponseStreamEvent, Tool } from "openai/resources/responses/responses";
import { countTextTokens } from "../../src/demo/tokens.ts";
import { startDemo, WEATHER_SCHEMA, weatherArguments } from "./clients.ts";

const WEATHER: Tool = { type: "function", name: "get_weather", parameters: WEATHER_SCHEMA, strict: false };

test("[B1] responses: a whole answer, for plain text and for items", async () => {
  await using demo = startDemo();
  const plain = await demo.openai.responses.create({ model: "demo", input: "Hello there" });
  expect(plain.status).toBe("completed");
  expect(plain.output_text).toContain("2 words: “Hello there”");
  const items = await demo.openai.responses.create({
    model: "demo",
    instructions: "Be brief.",
    input: [{ role: "user", content: [{ type: "input_text", text: "Hello there" }] }],
  });
  expect(items.output_text).toBe(plain.output_text);
  expect(items.usage?.input_tokens).toBe(countTextTokens("Be brief.") + countTextTokens("Hello there"));
  expect(items.usage?.output_tokens).toBe(countTextTokens(items.output_text));
});

test("[B1] responses: a stream has every event of the format, in order and numbered", async () => {
  await using demo = startDemo();
  const events: ResponseStreamEvent[] = [];
  for await (const event of await demo.openai.responses.create({ model: "demo", input: "Hi", stream: true })) events.push(event);
  expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, index) => index));
  const types = events.map((event) => event.type);
  expect(types.filter((type, index) => type !== types[index - 1])).toEqual([
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
  ]);
});

test("[B1] responses: the SDK's accumulator makes the same answer of the stream", async () => {
  await using demo = startDemo();
  const whole = await demo.openai.responses.create({ model: "demo", input: "Hi" });
  const final = await demo.openai.responses.stream({ model: "demo", input: "Hi" }).finalResponse();
  expect(final.output_text).toBe(whole.output_text);
  expect(final.usage).toEqual(whole.usage);
});

test("[B5] responses: the token limit leaves the answer incomplete, whole and streamed", async () => {
  await using demo = startDemo();
  const limited = { model: "demo", input: "Hi", max_output_tokens: 4 };
  const whole = await demo.openai.responses.create(limited);
  expect(whole.status).toBe("incomplete");
  expect(whole.incomplete_details).toEqual({ reason: "max_output_tokens" });
  expect(whole.usage?.output_tokens).toBe(4);
  let last: ResponseStreamEvent["type"] | null = null;
  for await (const event of await demo.openai.responses.create({ ...limited, stream: true })) last = event.type;
  expect(last).toBe("response.incomplete");
});

test("[B4] responses: a tool is called, streamed in pieces, and its result answered", async () => {
  await using demo = startDemo();
  const text = "get_weather please";
  const stream = demo.openai.responses.stream({ model: "demo", input: text, tools: [WEATHER] });
  let pieces = 0;
  stream.on("response.function_call_arguments.delta", () => (pieces += 1));
  const first = await stream.finalResponse();
  const [call] = first.output;
  if (call?.type !== "function_call") throw new Error("no function was called");
  expect(JSON.parse(call.arguments)).toEqual(weatherArguments(text));
  expect(pieces).toBeGreaterThan(5);

  const second = await demo.openai.responses.create({
    model: "demo",
    tools: [WEATHER],
    input: [
      { role: "user", content: text },
      { type: "function_call", call_id: call.call_id, name: call.name, arguments: call.arguments },
      { type: "function_call_output", call_id: call.call_id, output: "Snow." },
    ],
  });
  expect(second.output_text).toContain("“Snow.”");
});

test("[B1] responses: items and tools the demo does not know are passed over", async () => {
  await using demo = startDemo();
  const answer = await demo.post("/v1/responses", {
    model: "demo",
    tools: [{ type: "web_search" }, { type: "namespace", name: "n", tools: [] }],
    input: [
      { type: "reasoning", summary: [] },
      { type: "computer_call_output", output: { type: "computer_screenshot" } },
      { role: "developer", content: "x" },
      { role: "user", content: "use a tool" },
    ],
  });
  expect(answer.status).toBe(200);
});
