// The demo backend through the OpenAI SDK's chat completions.
import { expect, test } from "bun:test";
import type { ChatCompletionMessageParam, ChatCompletionTool } from "openai/resources/chat/completions";
import { countTextTokens, splitTokens } from "../../src/demo/tokens.ts";
import { startDemo, WEATHER_SCHEMA, weatherArguments } from "./clients.ts";

const HI: ChatCompletionMessageParam[] = [
  { role: "system", content: "Be brief." },
  { role: "user", content: [{ type: "text", text: "Grüß dich, demo" }] },
];

const WEATHER: ChatCompletionTool = { type: "function", function: { name: "get_weather", parameters: WEATHER_SCHEMA } };

test("[B1] chat: a whole answer", async () => {
  await using demo = startDemo();
  const answer = await demo.openai.chat.completions.create({ model: "demo", messages: HI });
  expect(answer.object).toBe("chat.completion");
  expect(answer.model).toBe("demo");
  expect(answer.choices[0]?.finish_reason).toBe("stop");
  expect(answer.choices[0]?.message.role).toBe("assistant");
});

test("[B1] chat: a stream adds up to the same answer, through the SDK's own accumulator too", async () => {
  await using demo = startDemo();
  const whole = await demo.openai.chat.completions.create({ model: "demo", messages: HI });
  const stream = demo.openai.chat.completions.stream({ model: "demo", messages: HI, stream_options: { include_usage: true } });
  const finish: unknown[] = [];
  const usages: unknown[] = [];
  for await (const chunk of stream) {
    expect(chunk.object).toBe("chat.completion.chunk");
    finish.push(...chunk.choices.map((choice) => choice.finish_reason));
    usages.push(chunk.usage);
  }
  expect(finish.filter((reason) => reason !== null)).toEqual(["stop"]);
  expect(usages.slice(0, -1).every((usage) => usage === null)).toBe(true);
  const final = await stream.finalChatCompletion();
  expect(final.choices[0]?.message.content).toBe(whole.choices[0]!.message.content);
  expect(final.usage).toEqual(whole.usage);
});

test("[B1] chat: a stream nobody asked usage of has none, begins with the role and ends with [DONE]", async () => {
  await using demo = startDemo();
  const response = await demo.post("/v1/chat/completions", { model: "demo", messages: HI, stream: true });
  expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  const text = await response.text();
  expect(text).not.toContain('"usage"');
  expect(text).toStartWith("data: ");
  expect(text.split("\n\n")[0]).toContain('"delta":{"role":"assistant","content":""');
  expect(text).toEndWith("data: [DONE]\n\n");
});

test("[B3] chat: the answer says that it is the demo, repeats the input and counts its words", async () => {
  await using demo = startDemo();
  const answer = await demo.openai.chat.completions.create({ model: "demo", messages: HI });
  const text = answer.choices[0]?.message.content ?? "";
  expect(text).toContain("demo backend");
  expect(text).toContain("not a model");
  expect(text).toContain("3 words: “Grüß dich, demo”");
  expect(text).toContain("👋");
});

test("[B5] chat: usage counts what was read and said", async () => {
  await using demo = startDemo();
  const answer = await demo.openai.chat.completions.create({ model: "demo", messages: HI });
  const prompt = countTextTokens("Be brief.") + countTextTokens("Grüß dich, demo");
  const completion = countTextTokens(answer.choices[0]?.message.content ?? "");
  expect(answer.usage).toEqual({ prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion });
});

test("[B5] chat: the token limit cuts the answer and is named as the reason, by its old name and its new one", async () => {
  await using demo = startDemo();
  for (const limit of [{ max_tokens: 5 }, { max_completion_tokens: 5 }]) {
    const answer = await demo.openai.chat.completions.create({ model: "demo", messages: HI, ...limit });
    expect(answer.choices[0]?.finish_reason).toBe("length");
    expect(splitTokens(answer.choices[0]?.message.content ?? "").length).toBe(5);
    expect(answer.usage?.completion_tokens).toBe(5);
  }
});

test("[B4] chat: a tool named by the user is called with arguments of its schema, streamed in pieces", async () => {
  await using demo = startDemo();
  const text = "Please get_weather, demo.";
  const stream = demo.openai.chat.completions.stream({ model: "demo", messages: [{ role: "user", content: text }], tools: [WEATHER] });
  let pieces = 0;
  stream.on("tool_calls.function.arguments.delta", () => (pieces += 1));
  const [call] = (await stream.finalMessage()).tool_calls ?? [];
  if (call?.type !== "function") throw new Error("no function was called");
  expect(call.function.name).toBe("get_weather");
  expect(JSON.parse(call.function.arguments)).toEqual(weatherArguments(text));
  expect(pieces).toBeGreaterThan(5);
  expect((await stream.finalChatCompletion()).choices[0]?.finish_reason).toBe("tool_calls");
});

test("[B4] chat: the SDK's tool runner goes round and ends with text about the result", async () => {
  await using demo = startDemo();
  const received: unknown[] = [];
  const runner = demo.openai.chat.completions.runTools({
    model: "demo",
    messages: [{ role: "user", content: "use a tool" }],
    tools: [
      {
        type: "function",
        function: {
          name: "lookup",
          description: "Looks things up.",
          parameters: { type: "object", properties: { q: { type: "string" } } },
          parse: JSON.parse,
          function: (input: unknown) => {
            received.push(input);
            return "It is 21 degrees.";
          },
        },
      },
    ],
  });
  const text = await runner.finalContent();
  expect(received).toEqual([{ q: "use a tool" }]);
  expect(text).toContain("“It is 21 degrees.”");
});

test("[B4] chat: tools are left alone unless asked for, and called when the request demands it", async () => {
  await using demo = startDemo();
  const ask = async (content: string, tool_choice: "auto" | "none" | "required"): Promise<string | undefined> =>
    (await demo.openai.chat.completions.create({ model: "demo", messages: [{ role: "user", content }], tools: [WEATHER], tool_choice }))
      .choices[0]?.finish_reason;
  expect(await ask("Hello", "auto")).toBe("stop");
  expect(await ask("forget_weather please", "auto")).toBe("stop");
  expect(await ask("Hello", "required")).toBe("tool_calls");
  expect(await ask("use the tool get_weather", "none")).toBe("stop");
});
