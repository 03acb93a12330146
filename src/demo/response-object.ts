// The response object of OpenAI's responses, at its start and at its end.
import type { Response as OpenAIResponse, ResponseOutputItem, ResponseUsage } from "openai/resources/responses/responses";
import { type Answer } from "./dialect.ts";
import { MODEL_NAME } from "./models.ts";

type Item = Extract<ResponseOutputItem, { type: "message" } | { type: "function_call" }>;
type ItemStatus = "in_progress" | "completed" | "incomplete";

/** The answer's only item, holding `text` so far. */
export function outputItem({ reply, id }: Answer, text: string, status: ItemStatus): Item {
  if (reply.kind === "tool")
    return { id: `fc_${id}`, type: "function_call", status, call_id: `call_${id}`, name: reply.name, arguments: text };
  const isOpened = status === "in_progress";
  return {
    id: `msg_${id}`,
    type: "message",
    status,
    role: "assistant",
    content: isOpened ? [] : [{ type: "output_text", text, annotations: [], logprobs: [] }],
  };
}

/** The response object as it is before anything was generated. */
export function openedResponse(answer: Answer): object {
  return { ...envelope(answer), status: "in_progress", output: [], usage: null };
}

/** The response object at its end: completed, or incomplete when the token limit cut it. */
export function finishedResponse(answer: Answer): object {
  const { reply, promptTokens, replyTokens } = answer;
  const status = finalStatus(answer);
  const usage: ResponseUsage = {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
    output_tokens: replyTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: promptTokens + replyTokens,
  };
  return {
    ...envelope(answer),
    status,
    incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
    output: [outputItem(answer, reply.tokens.join(""), status)],
    usage,
  } satisfies Omit<OpenAIResponse, "output_text">;
}

export function finalStatus({ reply }: Answer): "completed" | "incomplete" {
  return reply.kind === "text" && reply.isCut ? "incomplete" : "completed";
}

// `output_text` is something the official libraries add; it is not on the wire.
type Envelope = Omit<OpenAIResponse, "output_text" | "status" | "output" | "usage">;

function envelope({ id, unixSecs, ask }: Answer): Envelope {
  return {
    id: `resp_${id}`,
    object: "response",
    created_at: unixSecs,
    access_programs: null,
    error: null,
    incomplete_details: null,
    instructions: null,
    max_output_tokens: ask.conversation.maxTokens,
    metadata: {},
    model: MODEL_NAME,
    parallel_tool_calls: true,
    previous_response_id: null,
    temperature: 1,
    text: { format: { type: "text" } },
    tool_choice: "auto",
    tools: [],
    top_p: 1,
    truncation: "disabled",
  };
}
