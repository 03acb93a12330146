// Anthropic's messages (POST /v1/messages).
import type {
  Message,
  RawMessageDeltaEvent,
  RawMessageStreamEvent,
  StopReason,
  Usage,
} from "@anthropic-ai/sdk/resources/messages/messages";
import * as v from "valibot";
import { content, isStreaming, model, parseBody, textOf, tokenLimit } from "./body.ts";
import { type Conversation, type ToolChoice, type Turn } from "./conversation.ts";
import { type Answer, type Ask, type Dialect } from "./dialect.ts";
import { namedEvent } from "./event-stream.ts";
import { MODEL_NAME } from "./models.ts";

export const messages: Dialect = { read, whole, events };

const message = v.looseObject({
  role: v.string(),
  content: v.union([
    v.string(),
    v.array(v.looseObject({ type: v.string(), text: v.nullish(v.string()), content: v.optional(v.unknown()) })),
  ]),
});

/** What counting tokens needs. */
export const countedBody = v.looseObject({
  model,
  system: content,
  messages: v.array(message),
  tools: v.nullish(v.array(v.looseObject({ name: v.string() }))),
  tool_choice: v.nullish(v.looseObject({ type: v.string(), name: v.nullish(v.string()) })),
});

const body = v.looseObject({ ...countedBody.entries, stream: isStreaming, max_tokens: tokenLimit });

function read(raw: unknown): Ask {
  const parsed = parseBody(body, raw);
  return {
    model: parsed.model ?? null,
    isStreaming: parsed.stream === true,
    includesUsage: true,
    conversation: { ...toConversation(parsed), maxTokens: parsed.max_tokens ?? null },
  };
}

export function toConversation(parsed: v.InferOutput<typeof countedBody>): Conversation {
  const system = textOf(parsed.system);
  const spoken = parsed.messages.flatMap(toTurns);
  return {
    turns: system === "" ? spoken : [{ role: "system", text: system }, ...spoken],
    tools: (parsed.tools ?? []).map((tool) => ({ name: tool.name, schema: tool["input_schema"] })),
    toolChoice: toToolChoice(parsed.tool_choice),
    maxTokens: null,
  };
}

/** One message may hold tool results and text: each becomes a turn. Clients' own notes in blocks before the text stay apart from it. */
function toTurns({ role, content: blocks }: v.InferOutput<typeof message>): readonly Turn[] {
  const speaker = role === "user" || role === "assistant" ? role : "system";
  if (typeof blocks === "string") return [{ role: speaker, text: blocks }];
  const turns = blocks.flatMap((block): readonly Turn[] => {
    if (block.type === "tool_result") return [{ role: "tool", text: textOf(block.content) }];
    return typeof block.text === "string" ? [{ role: speaker, text: block.text }] : [];
  });
  // A message of tool calls alone is still a turn of the model.
  return turns.length === 0 ? [{ role: speaker, text: "" }] : turns;
}

function toToolChoice(choice: v.InferOutput<typeof countedBody>["tool_choice"]): ToolChoice {
  if (choice?.type === "none" || choice?.type === "any") return choice.type;
  return choice?.type === "tool" && typeof choice.name === "string" ? { name: choice.name } : "auto";
}

function whole(answer: Answer): object {
  const { reply } = answer;
  const text = reply.tokens.join("");
  return {
    ...envelope(answer),
    content: [
      reply.kind === "text"
        ? { type: "text", text, citations: null }
        : { type: "tool_use", id: toolUseId(answer), name: reply.name, input: JSON.parse(text), caller: { type: "direct" } },
    ],
    stop_reason: stopReason(answer),
    usage: usageOf(answer, answer.replyTokens),
  } satisfies Message;
}

async function* events(answer: Answer, tokens: AsyncIterable<string>): AsyncGenerator<string, void> {
  const { reply } = answer;
  const event = (data: RawMessageStreamEvent | { readonly type: "ping" }): string => namedEvent(data);

  yield event({ type: "message_start", message: { ...envelope(answer), usage: usageOf(answer, 1) } });
  if (reply.kind === "text") {
    yield event({ type: "content_block_start", index: 0, content_block: { type: "text", text: "", citations: null } });
    yield event({ type: "ping" });
    for await (const token of tokens) yield event({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: token } });
  } else {
    const opening = { type: "tool_use", id: toolUseId(answer), name: reply.name, input: {}, caller: { type: "direct" } } as const;
    yield event({ type: "content_block_start", index: 0, content_block: opening });
    yield event({ type: "ping" });
    for await (const token of tokens) {
      yield event({ type: "content_block_delta", index: 0, delta: { type: "input_json_delta", partial_json: token } });
    }
  }
  yield event({ type: "content_block_stop", index: 0 });
  yield event(messageDelta(answer));
  yield event({ type: "message_stop" });
}

function envelope(answer: Answer): Message {
  return {
    id: `msg_${answer.id}`,
    type: "message",
    role: "assistant",
    model: MODEL_NAME,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    container: null,
    diagnostics: null,
    usage: usageOf(answer, 0),
  };
}

function usageOf({ promptTokens }: Answer, outputTokens: number): Usage {
  return {
    input_tokens: promptTokens,
    output_tokens: outputTokens,
    output_tokens_details: null,
    cache_creation: null,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    inference_geo: null,
    server_tool_use: null,
    service_tier: "standard",
    speed: null,
  };
}

function messageDelta(answer: Answer): RawMessageDeltaEvent {
  const { cache_creation_input_tokens, cache_read_input_tokens, input_tokens, output_tokens } = usageOf(answer, answer.replyTokens);
  return {
    type: "message_delta",
    delta: { stop_reason: stopReason(answer), stop_sequence: null, stop_details: null, container: null },
    usage: {
      input_tokens,
      output_tokens,
      output_tokens_details: null,
      cache_creation_input_tokens,
      cache_read_input_tokens,
      server_tool_use: null,
    },
  };
}

function toolUseId(answer: Answer): string {
  return `toolu_${answer.id}`;
}

function stopReason({ reply }: Answer): StopReason {
  if (reply.kind === "tool") return "tool_use";
  return reply.isCut ? "max_tokens" : "end_turn";
}
