// OpenAI's responses (POST /v1/responses): how its requests are read.
import * as v from "valibot";
import { isStreaming, model, parseBody, textOf, tokenLimit } from "./body.ts";
import { type ToolChoice, type Turn } from "./conversation.ts";
import { type Ask, type Dialect } from "./dialect.ts";
import { responseEvents } from "./response-events.ts";
import { finishedResponse } from "./response-object.ts";

export const responses: Dialect = { read, whole: finishedResponse, events: responseEvents };

// Items come in dozens of kinds, with an output of their own form each.
const item = v.looseObject({
  type: v.nullish(v.string()),
  role: v.nullish(v.string()),
  content: v.optional(v.unknown()),
  output: v.optional(v.unknown()),
});

const body = v.looseObject({
  model,
  stream: isStreaming,
  max_output_tokens: tokenLimit,
  instructions: v.nullish(v.string()),
  input: v.nullish(v.union([v.string(), v.array(item)])),
  tools: v.nullish(v.array(v.looseObject({ type: v.string(), name: v.nullish(v.string()) }))),
  tool_choice: v.nullish(v.union([v.string(), v.looseObject({ name: v.nullish(v.string()) })])),
});

function read(raw: unknown): Ask {
  const parsed = parseBody(body, raw);
  const spoken = typeof parsed.input === "string" ? [{ role: "user", text: parsed.input } as const] : (parsed.input ?? []).flatMap(toTurn);
  const instructions = parsed.instructions ?? "";
  return {
    model: parsed.model ?? null,
    isStreaming: parsed.stream === true,
    includesUsage: true,
    conversation: {
      turns: instructions === "" ? spoken : [{ role: "system", text: instructions }, ...spoken],
      tools: (parsed.tools ?? []).flatMap((tool) =>
        tool.type === "function" && typeof tool.name === "string" ? [{ name: tool.name, schema: tool["parameters"] }] : [],
      ),
      toolChoice: toToolChoice(parsed.tool_choice),
      maxTokens: parsed.max_output_tokens ?? null,
    },
  };
}

/** 1. a tool's result; 2. a call of the model's own; 3. a message; 4. anything else says nothing to the demo. */
function toTurn(entry: v.InferOutput<typeof item>): readonly Turn[] {
  const type = entry.type ?? "message";
  if (type.endsWith("_call_output")) return [{ role: "tool", text: textOf(entry.output) }]; // (1)
  if (type.endsWith("_call")) return [{ role: "assistant", text: "" }]; // (2)
  if (type !== "message") return []; // (4)
  const role = entry.role === "user" || entry.role === "assistant" ? entry.role : "system";
  return [{ role, text: textOf(entry.content) }]; // (3)
}

function toToolChoice(choice: v.InferOutput<typeof body>["tool_choice"]): ToolChoice {
  if (choice === "none") return "none";
  if (choice === "required") return "any";
  const name = typeof choice === "object" ? choice?.name : undefined;
  return typeof name === "string" ? { name } : "auto";
}
