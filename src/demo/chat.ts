// OpenAI's chat completions (POST /v1/chat/completions).
import type { ChatCompletion, ChatCompletionChunk } from "openai/resources/chat/completions";
import * as v from "valibot";
import { content, isStreaming, model, parseBody, streamOptions, textOf, tokenLimit } from "./body.ts";
import { type ToolChoice, type Turn } from "./conversation.ts";
import { type Answer, type Ask, type Dialect } from "./dialect.ts";
import { dataEvent, DONE_EVENT } from "./event-stream.ts";
import { MODEL_NAME } from "./models.ts";
import { completionUsage } from "./completion-usage.ts";

export const chat: Dialect = { read, whole, events };

const body = v.looseObject({
  model,
  stream: isStreaming,
  stream_options: streamOptions,
  max_tokens: tokenLimit,
  max_completion_tokens: tokenLimit,
  messages: v.array(v.looseObject({ role: v.string(), content })),
  tools: v.nullish(v.array(v.looseObject({ function: v.nullish(v.looseObject({ name: v.string() })) }))),
  tool_choice: v.nullish(v.union([v.string(), v.looseObject({ function: v.nullish(v.looseObject({ name: v.string() })) })])),
});

function read(raw: unknown): Ask {
  const parsed = parseBody(body, raw);
  return {
    model: parsed.model ?? null,
    isStreaming: parsed.stream === true,
    includesUsage: parsed.stream_options?.include_usage === true,
    conversation: {
      turns: parsed.messages.map((message) => ({ role: toRole(message.role), text: textOf(message.content) })),
      tools: (parsed.tools ?? []).flatMap((tool) => {
        const offered = tool.function;
        return offered === null || offered === undefined ? [] : [{ name: offered.name, schema: offered["parameters"] }];
      }),
      toolChoice: toToolChoice(parsed.tool_choice),
      maxTokens: parsed.max_completion_tokens ?? parsed.max_tokens ?? null,
    },
  };
}

function toRole(role: string): Turn["role"] {
  if (role === "user" || role === "assistant") return role;
  return role === "tool" || role === "function" ? "tool" : "system";
}

function toToolChoice(choice: v.InferOutput<typeof body>["tool_choice"]): ToolChoice {
  if (choice === "none") return "none";
  if (choice === "required") return "any";
  const name = typeof choice === "object" ? choice?.function?.name : undefined;
  return name === undefined ? "auto" : { name };
}

function whole(answer: Answer): object {
  const { reply } = answer;
  const text = reply.tokens.join("");
  const message: ChatCompletion["choices"][number]["message"] =
    reply.kind === "text"
      ? { role: "assistant", content: text, refusal: null, annotations: [] }
      : {
          role: "assistant",
          content: null,
          refusal: null,
          annotations: [],
          tool_calls: [{ id: callId(answer), type: "function", function: { name: reply.name, arguments: text } }],
        };
  return {
    id: `chatcmpl-${answer.id}`,
    object: "chat.completion",
    created: answer.unixSecs,
    model: MODEL_NAME,
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReason(answer) }],
    usage: completionUsage(answer),
  } satisfies ChatCompletion;
}

type Delta = ChatCompletionChunk["choices"][number]["delta"];

async function* events(answer: Answer, tokens: AsyncIterable<string>): AsyncGenerator<string, void> {
  const { reply, ask } = answer;
  // With usage asked for, every chunk has the field, and all but the last have it empty.
  const noUsage = ask.includesUsage ? { usage: null } : {};
  const chunk = (delta: Delta, finish_reason: "stop" | "length" | "tool_calls" | null): string =>
    dataEvent({
      ...envelope(answer),
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
      ...noUsage,
    } satisfies ChatCompletionChunk);

  if (reply.kind === "text") {
    yield chunk({ role: "assistant", content: "", refusal: null }, null);
    for await (const token of tokens) yield chunk({ content: token }, null);
  } else {
    const opening = { index: 0, id: callId(answer), type: "function", function: { name: reply.name, arguments: "" } } as const;
    yield chunk({ role: "assistant", content: null, tool_calls: [opening] }, null);
    for await (const token of tokens) yield chunk({ tool_calls: [{ index: 0, function: { arguments: token } }] }, null);
  }
  yield chunk({}, finishReason(answer));
  if (ask.includesUsage)
    yield dataEvent({ ...envelope(answer), choices: [], usage: completionUsage(answer) } satisfies ChatCompletionChunk);
  yield DONE_EVENT;
}

function envelope(answer: Answer) {
  return { id: `chatcmpl-${answer.id}`, object: "chat.completion.chunk", created: answer.unixSecs, model: MODEL_NAME } as const;
}

function callId(answer: Answer): string {
  return `call_${answer.id}`;
}

function finishReason({ reply }: Answer): "stop" | "length" | "tool_calls" {
  if (reply.kind === "tool") return "tool_calls";
  return reply.isCut ? "length" : "stop";
}
