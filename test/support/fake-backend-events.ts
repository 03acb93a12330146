// Correct answers of the three dialects as bytes, for fake backends to send whole, in pieces or not quite.
import { unreachable } from "../../src/base/assert.ts";

export type Dialect = "chat" | "responses" | "messages";

export const PATHS: Readonly<Record<Dialect, string>> = {
  chat: "/v1/chat/completions",
  responses: "/v1/responses",
  messages: "/v1/messages",
};

const DEFAULT_WORDS: readonly string[] = ["Hello", " wörld", " 👋"];

/** The events of a whole stream, one string each, terminators included. */
export function streamEvents(dialect: Dialect, words: readonly string[] = DEFAULT_WORDS): readonly string[] {
  switch (dialect) {
    case "chat":
      return chatEvents(words);
    case "responses":
      return responsesEvents(words);
    case "messages":
      return messagesEvents(words);
    default:
      return unreachable(dialect);
  }
}

/** The body of an answer that is not streamed. */
export function wholeAnswer(dialect: Dialect, words: readonly string[] = DEFAULT_WORDS): string {
  const text = words.join("");
  switch (dialect) {
    case "chat":
      return JSON.stringify({
        id: "chatcmpl-fake",
        object: "chat.completion",
        created: 1,
        model: "fake",
        choices: [{ index: 0, message: { role: "assistant", content: text, refusal: null }, logprobs: null, finish_reason: "stop" }],
        usage: { prompt_tokens: 3, completion_tokens: words.length, total_tokens: 3 + words.length },
      });
    case "responses":
      return JSON.stringify(responseObject("completed", words));
    case "messages":
      return JSON.stringify({
        ...MESSAGE,
        content: [{ type: "text", text, citations: null }],
        stop_reason: "end_turn",
        usage: { input_tokens: 3, output_tokens: words.length },
      });
    default:
      return unreachable(dialect);
  }
}

/** The same events with CRLF line ends, which the standard allows as well. */
export function withCrlf(events: readonly string[]): readonly string[] {
  return events.map((event) => event.replaceAll("\n", "\r\n"));
}

function chatEvents(words: readonly string[]): readonly string[] {
  const chunk = (delta: object, finish_reason: string | null): string =>
    data({
      id: "chatcmpl-fake",
      object: "chat.completion.chunk",
      created: 1,
      model: "fake",
      choices: [{ index: 0, delta, finish_reason }],
    });
  return [
    chunk({ role: "assistant", content: "" }, null),
    ...words.map((content) => chunk({ content }, null)),
    chunk({}, "stop"),
    "data: [DONE]\n\n",
  ];
}

const MESSAGE = { id: "msg_fake", type: "message", role: "assistant", model: "fake", content: [], stop_reason: null, stop_sequence: null };

function messagesEvents(words: readonly string[]): readonly string[] {
  return [
    named({ type: "message_start", message: { ...MESSAGE, usage: { input_tokens: 3, output_tokens: 1 } } }),
    named({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }),
    named({ type: "ping" }),
    ...words.map((text) => named({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } })),
    named({ type: "content_block_stop", index: 0 }),
    named({ type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: words.length } }),
    named({ type: "message_stop" }),
  ];
}

function responseObject(status: "in_progress" | "completed", words: readonly string[]): object {
  const output = status === "completed" ? [responseItem(words, status)] : [];
  const usage = {
    input_tokens: 3,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: words.length,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 3 + words.length,
  };
  const fixed = { id: "resp_fake", object: "response", created_at: 1, model: "fake", error: null, parallel_tool_calls: true, tools: [] };
  return { ...fixed, status, output, usage: status === "completed" ? usage : null };
}

function responseItem(words: readonly string[], status: string): object {
  const content = [{ type: "output_text", text: words.join(""), annotations: [] }];
  return { id: "msg_fake", type: "message", status, role: "assistant", content: status === "completed" ? content : [] };
}

function responsesEvents(words: readonly string[]): readonly string[] {
  const place = { item_id: "msg_fake", output_index: 0, content_index: 0 };
  const part = (text: string): object => ({ type: "output_text", text, annotations: [] });
  const text = words.join("");
  const events: readonly Named[] = [
    { type: "response.created", response: responseObject("in_progress", []) },
    { type: "response.in_progress", response: responseObject("in_progress", []) },
    { type: "response.output_item.added", output_index: 0, item: responseItem([], "in_progress") },
    { type: "response.content_part.added", ...place, part: part("") },
    ...words.map((delta) => ({ type: "response.output_text.delta", ...place, delta, logprobs: [] })),
    { type: "response.output_text.done", ...place, text, logprobs: [] },
    { type: "response.content_part.done", ...place, part: part(text) },
    { type: "response.output_item.done", output_index: 0, item: responseItem(words, "completed") },
    { type: "response.completed", response: responseObject("completed", words) },
  ];
  return events.map((event, sequence_number) => named({ ...event, sequence_number }));
}

interface Named {
  readonly type: string;
  readonly [field: string]: unknown;
}

function named(event: Named): string {
  return `event: ${event.type}\n${data(event)}`;
}

function data(event: object): string {
  return `data: ${JSON.stringify(event)}\n\n`;
}
