// OpenAI's older completions (POST /v1/completions): a prompt goes on, without roles or tools.
import type { Completion } from "openai/resources/completions";
import * as v from "valibot";
import { isStreaming, model, parseBody, streamOptions, tokenLimit } from "./body.ts";
import { completionUsage } from "./completion-usage.ts";
import { type Answer, type Ask, type Dialect } from "./dialect.ts";
import { dataEvent, DONE_EVENT } from "./event-stream.ts";
import { MODEL_NAME } from "./models.ts";

export const completions: Dialect = { read, whole, events };

const tokenIds = v.array(v.number());

const body = v.looseObject({
  model,
  stream: isStreaming,
  stream_options: streamOptions,
  max_tokens: tokenLimit,
  prompt: v.nullish(v.union([v.string(), v.array(v.string()), tokenIds, v.array(tokenIds)])),
});

function read(raw: unknown): Ask {
  const parsed = parseBody(body, raw);
  const prompts = typeof parsed.prompt === "string" ? [parsed.prompt] : (parsed.prompt ?? []);
  return {
    model: parsed.model ?? null,
    isStreaming: parsed.stream === true,
    includesUsage: parsed.stream_options?.include_usage === true,
    conversation: {
      // Token ids of another model's vocabulary say nothing here; they are repeated as numbers.
      turns: [{ role: "user", text: prompts.map(String).join("\n") }],
      tools: [],
      toolChoice: "none",
      maxTokens: parsed.max_tokens ?? null,
    },
  };
}

function whole(answer: Answer): object {
  return { ...completion(answer, answer.reply.tokens.join(""), true), usage: completionUsage(answer) };
}

async function* events(answer: Answer, tokens: AsyncIterable<string>): AsyncGenerator<string, void> {
  for await (const token of tokens) yield dataEvent(completion(answer, token, false));
  yield dataEvent(completion(answer, "", true));
  if (answer.ask.includesUsage) yield dataEvent({ ...completion(answer, "", true), choices: [], usage: completionUsage(answer) });
  yield DONE_EVENT;
}

// While a stream runs the reason is null, which the official type leaves out.
type Choice = Omit<Completion["choices"][number], "finish_reason"> & { readonly finish_reason: "stop" | "length" | null };

function completion({ id, unixSecs, reply }: Answer, text: string, isLast: boolean): Omit<Completion, "choices"> & { choices: Choice[] } {
  const reason = reply.kind === "text" && reply.isCut ? "length" : "stop";
  return {
    id: `cmpl-${id}`,
    object: "text_completion",
    created: unixSecs,
    model: MODEL_NAME,
    choices: [{ index: 0, text, logprobs: null, finish_reason: isLast ? reason : null }],
  };
}
