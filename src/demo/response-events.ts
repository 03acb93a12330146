// The event stream of OpenAI's responses, numbered from 0.
import type { ResponseOutputText, ResponseStreamEvent } from "openai/resources/responses/responses";
import { type Answer } from "./dialect.ts";
import { namedEvent } from "./event-stream.ts";
import { finalStatus, finishedResponse, openedResponse, outputItem } from "./response-object.ts";

export async function* responseEvents(answer: Answer, tokens: AsyncIterable<string>): AsyncGenerator<string, void> {
  let sequence = 0;
  const number = (event: Unnumbered): string => {
    const numbered = { ...event, sequence_number: sequence++ };
    return namedEvent(numbered);
  };
  const status = finalStatus(answer);
  const text = answer.reply.tokens.join("");

  yield number({ type: "response.created", response: openedResponse(answer) });
  yield number({ type: "response.in_progress", response: openedResponse(answer) });
  yield number({ type: "response.output_item.added", output_index: 0, item: outputItem(answer, "", "in_progress") });
  const content = answer.reply.kind === "text" ? textEvents(answer, tokens) : argumentEvents(answer, tokens);
  for await (const event of content) yield number(event);
  yield number({ type: "response.output_item.done", output_index: 0, item: outputItem(answer, text, status) });
  yield number({ type: `response.${status}`, response: finishedResponse(answer) });
}

async function* textEvents(answer: Answer, tokens: AsyncIterable<string>): AsyncGenerator<Unnumbered, void> {
  const place = { item_id: `msg_${answer.id}`, output_index: 0, content_index: 0 };
  const text = answer.reply.tokens.join("");
  const part = (text: string): ResponseOutputText => ({ type: "output_text", text, annotations: [], logprobs: [] });
  yield { type: "response.content_part.added", ...place, part: part("") };
  for await (const token of tokens) yield { type: "response.output_text.delta", ...place, delta: token, logprobs: [] };
  yield { type: "response.output_text.done", ...place, text, logprobs: [] };
  yield { type: "response.content_part.done", ...place, part: part(text) };
}

async function* argumentEvents(answer: Answer, tokens: AsyncIterable<string>): AsyncGenerator<Unnumbered, void> {
  const place = { item_id: `fc_${answer.id}`, output_index: 0 };
  for await (const token of tokens) yield { type: "response.function_call_arguments.delta", ...place, delta: token };
  yield { type: "response.function_call_arguments.done", ...place, arguments: answer.reply.tokens.join("") };
}

/** An event of the official type before it has its number. The response object's own type demands fields no server sends. */
type Unnumbered<Event = ResponseStreamEvent> = Event extends { readonly response: unknown }
  ? Omit<Event, "sequence_number" | "response"> & { readonly response: object }
  : Omit<Event, "sequence_number">;
