// Anthropic's token counting (POST /v1/messages/count_tokens): what a message would be charged for its input.
import type { MessageTokensCount } from "@anthropic-ai/sdk/resources/messages/messages";
import { parseBody } from "./body.ts";
import { countedBody, toConversation } from "./messages.ts";
import { requireDemoModel } from "./models.ts";
import { countPromptTokens } from "./reply.ts";

/** @throws DemoRefusal 400, 404 */
export function countTokens(raw: unknown): MessageTokensCount {
  const parsed = parseBody(countedBody, raw);
  requireDemoModel(parsed.model ?? null);
  return { input_tokens: countPromptTokens(toConversation(parsed)) };
}
