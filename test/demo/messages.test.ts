// The demo backend through the Anthropic SDK.
import { expect, test } from "bun:test";
import type { MessageParam, Tool } from "@anthropic-ai/sdk/resources/messages/messages";
import { countTextTokens } from "../../src/demo/tokens.ts";
import { startDemo, WEATHER_SCHEMA, weatherArguments } from "./clients.ts";

const HI: MessageParam[] = [{ role: "user", content: [{ type: "text", text: "Hello there" }] }];
const WEATHER: Tool = { name: "get_weather", input_schema: { ...WEATHER_SCHEMA, type: "object" } };

test("[B1] messages: a whole answer", async () => {
  await using demo = startDemo();
  const answer = await demo.anthropic.messages.create({ model: "demo", max_tokens: 1000, system: "Be brief.", messages: HI });
  expect(answer.type).toBe("message");
  expect(answer.stop_reason).toBe("end_turn");
  const [block] = answer.content;
  if (block?.type !== "text") throw new Error("no text");
  expect(block.text).toContain("2 words: “Hello there”");
  expect(answer.usage.input_tokens).toBe(countTextTokens("Be brief.") + countTextTokens("Hello there"));
  expect(answer.usage.output_tokens).toBe(countTextTokens(block.text));
});

test("[B1] messages: a stream has every event of the format and adds up to the same answer", async () => {
  await using demo = startDemo();
  const whole = await demo.anthropic.messages.create({ model: "demo", max_tokens: 1000, messages: HI });
  const stream = demo.anthropic.messages.stream({ model: "demo", max_tokens: 1000, messages: HI });
  const types: string[] = [];
  for await (const event of stream) types.push(event.type);
  expect(types.filter((type, index) => type !== types[index - 1])).toEqual([
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
  ]);
  const final = await stream.finalMessage();
  expect(final.content).toMatchObject(whole.content);
  expect(final.stop_reason).toBe("end_turn");
  expect(final.usage.output_tokens).toBe(whole.usage.output_tokens);
});

test("[B1] messages: a stream names its events and sends a ping", async () => {
  await using demo = startDemo();
  const text = await (await demo.post("/v1/messages", { model: "demo", max_tokens: 9, messages: HI, stream: true })).text();
  expect(text).toStartWith("event: message_start\ndata: {");
  expect(text).toContain('event: ping\ndata: {"type":"ping"}\n\n');
  expect(text).toEndWith('event: message_stop\ndata: {"type":"message_stop"}\n\n');
});

test("[B5] messages: the token limit is named as the reason", async () => {
  await using demo = startDemo();
  const answer = await demo.anthropic.messages.create({ model: "demo", max_tokens: 3, messages: HI });
  expect(answer.stop_reason).toBe("max_tokens");
  expect(answer.usage.output_tokens).toBe(3);
});

test("[B5] messages: counting tokens gives what a message is charged", async () => {
  await using demo = startDemo();
  const request = { model: "demo", messages: HI, tools: [WEATHER], system: "Be brief." };
  const counted = await demo.anthropic.messages.countTokens(request);
  const answer = await demo.anthropic.messages.create({ ...request, max_tokens: 100 });
  expect(counted.input_tokens).toBe(answer.usage.input_tokens);
  expect(counted.input_tokens).toBeGreaterThan(countTextTokens("Hello there"));
});

test("[B4] messages: a tool is called, streamed in pieces, and its result answered", async () => {
  await using demo = startDemo();
  const text = "get_weather please";
  const ask: MessageParam = { role: "user", content: text };
  const stream = demo.anthropic.messages.stream({ model: "demo", max_tokens: 1000, messages: [ask], tools: [WEATHER] });
  let pieces = 0;
  stream.on("inputJson", () => (pieces += 1));
  const first = await stream.finalMessage();
  const [call] = first.content;
  if (call?.type !== "tool_use") throw new Error("no tool was called");
  expect(first.stop_reason).toBe("tool_use");
  expect(call.input).toEqual(weatherArguments(text));
  expect(pieces).toBeGreaterThan(5);

  const whole = await demo.anthropic.messages.create({ model: "demo", max_tokens: 1000, messages: [ask], tools: [WEATHER] });
  expect(whole.content).toMatchObject([{ type: "tool_use", name: "get_weather", input: weatherArguments(text) }]);

  const second = await demo.anthropic.messages.create({
    model: "demo",
    max_tokens: 1000,
    tools: [WEATHER],
    messages: [
      ask,
      { role: "assistant", content: [{ type: "tool_use", id: call.id, name: call.name, input: call.input }] },
      { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: [{ type: "text", text: "Snow." }] }] },
    ],
  });
  expect(second.stop_reason).toBe("end_turn");
  expect(second.content).toMatchObject([{ type: "text", text: expect.stringContaining("“Snow.”") }]);
});

test("[B4] messages: a tool call that does not fit the token limit is not begun", async () => {
  await using demo = startDemo();
  const tool_choice = { type: "tool", name: "get_weather" } as const;
  const answer = await demo.anthropic.messages.create({ model: "demo", max_tokens: 3, messages: HI, tools: [WEATHER], tool_choice });
  expect(answer.stop_reason).toBe("max_tokens");
  expect(answer.content[0]?.type).toBe("text");
});
