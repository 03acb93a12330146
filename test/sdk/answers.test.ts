// What the official SDKs make of answers that came through the relay: the same as without it.
import { expect, test } from "bun:test";
import { politely, sse } from "../support/fake-backend-answers.ts";
import { streamEvents, withCrlf } from "../support/fake-backend-events.ts";
import { freshSeed, Random } from "../support/random.ts";
import { WAYS } from "./dialects.ts";
import { startDemoStack, startFakeStack } from "./stack.ts";

const WORDS = ["Grüße", ", ", "wörld ", "👩‍🚀", "🚀!"];
const TEXT = WORDS.join("");

for (const way of WAYS) {
  test(`[P1] ${way.name}: whole, streamed and accumulated give the backend's text`, async () => {
    await using stack = await startFakeStack(politely(["m"], WORDS));
    expect(await way.whole(stack)).toBe(TEXT);
    expect(await way.streamed(stack)).toBe(TEXT);
    expect(await way.accumulated(stack)).toBe(TEXT);
  });

  test(`[P1] ${way.name}: however the backend's bytes are cut, and with CRLF line ends`, async () => {
    await using stack = await startFakeStack(politely(["m"]));
    const events = streamEvents(way.dialect, WORDS);
    const random = new Random(freshSeed(way.name));
    for (const answer of [
      sse(events, { slicing: 1 }),
      sse(events, { slicing: random }),
      sse([events.join("")]),
      sse(withCrlf(events), { slicing: random }),
    ]) {
      stack.backend.answer = answer;
      expect(await way.streamed(stack)).toBe(TEXT);
    }
  });
}

test("[P1] the OpenAI SDK runs a tool and comes back with its result", async () => {
  await using stack = await startDemoStack();
  const runner = stack.openai.chat.completions.runTools({
    model: "demo",
    messages: [{ role: "user", content: "Please use a tool" }],
    tools: [
      {
        type: "function",
        function: {
          name: "lookup",
          description: "Looks things up.",
          parameters: { type: "object", properties: { q: { type: "string" } } },
          parse: JSON.parse,
          function: (input: unknown) => `found ${JSON.stringify(input)}`,
        },
      },
    ],
  });
  expect(await runner.finalContent()).toContain('“found {"q":"Please use a tool"}”');
});

test("[P1] the OpenAI SDK streams a tool call of responses", async () => {
  await using stack = await startDemoStack();
  const parameters = { type: "object", properties: { q: { type: "string" } } };
  const stream = stack.openai.responses.stream({
    model: "demo",
    input: "lookup",
    tools: [{ type: "function", name: "lookup", parameters, strict: false }],
  });
  const [call] = (await stream.finalResponse()).output;
  expect(call).toMatchObject({ type: "function_call", name: "lookup", arguments: '{"q":"lookup"}' });
});

test("[P1] the Anthropic SDK streams a tool call and comes back with its result", async () => {
  await using stack = await startDemoStack();
  const tools = [{ name: "lookup", input_schema: { type: "object" as const, properties: { q: { type: "string" } } } }];
  const ask = { role: "user" as const, content: "lookup" };
  const first = await stack.anthropic.messages.stream({ model: "demo", max_tokens: 500, messages: [ask], tools }).finalMessage();
  const [call] = first.content;
  if (call?.type !== "tool_use") throw new Error("no tool was called");
  expect(call.input).toEqual({ q: "lookup" });
  const result = { type: "tool_result" as const, tool_use_id: call.id, content: "found it" };
  const messages = [ask, { role: "assistant" as const, content: [call] }, { role: "user" as const, content: [result] }];
  const second = await stack.anthropic.messages.create({ model: "demo", max_tokens: 500, messages, tools });
  expect(second.content).toMatchObject([{ type: "text", text: expect.stringContaining("“found it”") }]);
});

test("[P1] completions, embeddings, token counts and models work as well", async () => {
  await using stack = await startDemoStack();
  const { openai, anthropic } = stack;
  const completion = await openai.completions.create({ model: "demo", prompt: "Once upon a time" });
  expect(completion.choices[0]?.text).toContain("4 words");
  const embedding = await openai.embeddings.create({ model: "demo", input: ["a", "b"] });
  expect(embedding.data.map((entry) => entry.embedding.length)).toEqual([16, 16]);
  const counted = await anthropic.messages.countTokens({ model: "demo", messages: [{ role: "user", content: "one two" }] });
  expect(counted.input_tokens).toBe(2);
  const listed: string[] = [];
  for await (const model of openai.models.list()) listed.push(model.id);
  for await (const model of anthropic.models.list()) listed.push(model.id);
  expect(listed).toEqual(["demo", "demo"]);
  expect((await openai.models.retrieve("demo")).object).toBe("model");
  expect((await anthropic.models.retrieve("demo")).type).toBe("model");
});
