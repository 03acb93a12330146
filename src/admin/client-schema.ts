// The bodies of the routes clients use, for the OpenAPI document; tests hold the relay's own answers against them.
import * as v from "valibot";
import { MODEL_NAME_MAX_CHARS } from "../protocol/limits.ts";

const text = (description: string) => v.pipe(v.string(), v.description(description));

/** What the relay reads of a request; everything else goes to the backend as it is. */
export const RelayedRequest = v.looseObject({
  model: v.optional(
    v.pipe(
      v.string(),
      v.minLength(1),
      v.maxLength(MODEL_NAME_MAX_CHARS),
      v.description("may be left out when exactly one model is on offer"),
    ),
  ),
  stream: v.optional(v.pipe(v.nullable(v.boolean()), v.description("true: the answer is a stream of events"))),
});

export const ErrorBody = v.object({
  error: v.object({
    message: text("a sentence to act on"),
    type: v.string(),
    param: v.null(),
    code: text("one of the codes in docs/errors.md"),
    request_id: v.string(),
  }),
});

export const AnthropicErrorBody = v.object({
  type: v.literal("error"),
  error: v.object({ type: v.string(), message: text("a sentence to act on") }),
  request_id: v.string(),
});

export const Model = v.object({
  id: v.string(),
  object: v.literal("model"),
  created: v.pipe(v.number(), v.description("when this relay first saw it, in Unix seconds")),
  owned_by: v.string(),
});

export const AnthropicModel = v.object({
  type: v.literal("model"),
  id: v.string(),
  display_name: v.string(),
  created_at: text("when this relay first saw it, as in RFC 3339"),
});

export const ModelList = v.object({ object: v.literal("list"), data: v.array(Model) });

export const AnthropicModelList = v.object({
  data: v.array(AnthropicModel),
  has_more: v.literal(false),
  first_id: v.nullable(v.string()),
  last_id: v.nullable(v.string()),
});

export const AnyModel = v.union([Model, AnthropicModel]);
export const AnyModelList = v.union([ModelList, AnthropicModelList]);

export const Health = v.object({
  status: v.literal("ok"),
  version: v.string(),
  workers_connected: v.number(),
  queue_depth: v.pipe(v.number(), v.description("requests that wait for a worker")),
  uptime_secs: v.number(),
});

export const Status = v.object({ status: v.picklist(["ok", "draining"]) });

export const Welcome = v.looseObject({
  name: v.literal("modelrelay"),
  version: v.string(),
  openai_base_url: v.string(),
  anthropic_base_url: v.string(),
});

export const OpenApiDocument = v.looseObject({ openapi: v.literal("3.1.0") });
