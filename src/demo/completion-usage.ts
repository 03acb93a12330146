// The usage object that OpenAI's chat and completions routes share.
import type { CompletionUsage } from "openai/resources/completions";
import { type Answer } from "./dialect.ts";

export function completionUsage({ promptTokens, replyTokens }: Answer): CompletionUsage {
  return { prompt_tokens: promptTokens, completion_tokens: replyTokens, total_tokens: promptTokens + replyTokens };
}
