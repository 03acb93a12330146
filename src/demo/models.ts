// The model list: one model, named `demo`.
import type { ModelInfo } from "@anthropic-ai/sdk/resources/models";
import type { Model } from "openai/resources/models";
import { DemoRefusal } from "./refusal.ts";

export const MODELS_PATH = "/v1/models";

/** What answers and lists call it. */
export const MODEL_NAME = "demo";

// A worker whose models are not configured registers this name.
const ALSO_ANSWERS_TO = "default";

// Fixed, so that the list never changes.
const CREATED_AT = "2026-11-01T00:00:00Z";

/** No model named is as good as the right one. @throws DemoRefusal 404 */
export function requireDemoModel(model: string | null): void {
  if (model === null || model === MODEL_NAME || model === ALSO_ANSWERS_TO) return;
  throw new DemoRefusal(404, "model_not_found", `The demo backend has no such model. Its only model is '${MODEL_NAME}'.`);
}

export function listModels(headers: Headers): Response {
  if (!headers.has("anthropic-version")) return Response.json({ object: "list", data: [OPENAI_MODEL] });
  return Response.json({ data: [ANTHROPIC_MODEL], has_more: false, first_id: MODEL_NAME, last_id: MODEL_NAME });
}

/** @throws DemoRefusal 404 */
export function retrieveModel(path: string, headers: Headers): Response {
  requireDemoModel(path.slice(MODELS_PATH.length + 1));
  return Response.json(headers.has("anthropic-version") ? ANTHROPIC_MODEL : OPENAI_MODEL);
}

const OPENAI_MODEL: Model = { id: MODEL_NAME, object: "model", created: Date.parse(CREATED_AT) / 1000, owned_by: "modelrelay" };

const ANTHROPIC_MODEL: ModelInfo = {
  type: "model",
  id: MODEL_NAME,
  display_name: "Demo backend (no model)",
  created_at: CREATED_AT,
  capabilities: null,
  deprecated_at: null,
  lifecycle: "active",
  line: null,
  max_input_tokens: null,
  max_tokens: null,
  retires_at: null,
};
