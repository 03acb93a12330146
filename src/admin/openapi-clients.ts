// The routes of clients, load balancers and workers in the OpenAPI document.
import type { RefusalCode } from "../base/errors.ts";
import { VERSION } from "../base/version.ts";
import { AnyModel, AnyModelList, Health, OpenApiDocument, RelayedRequest, Status, Welcome } from "./client-schema.ts";
import { inPath, json, type Operation } from "./operation.ts";

const GATES: readonly RefusalCode[] = ["invalid_path", "origin_not_allowed", "host_not_allowed", "internal_error"];

/** `invalid_request`: two different credentials. */
const KEYS: readonly RefusalCode[] = ["invalid_request", "invalid_api_key", "scope_not_allowed", "auth_rate_limited", "store_unavailable"];

const RELAYING: readonly RefusalCode[] = [
  ...GATES,
  ...KEYS,
  "model_not_allowed",
  "model_not_found",
  "body_timeout",
  "body_too_large",
  "unsupported_encoding",
  "queue_full",
  "key_limit",
  "backend_error",
  "worker_lost",
  "no_workers",
  "draining",
  "overloaded",
  "requeue_exhausted",
  "cancelled",
  "shutdown",
  "queue_timeout",
  "request_timeout",
  "chunk_timeout",
  "total_timeout",
];

export const CLIENT_OPERATIONS: readonly Operation[] = [
  relayed("/v1/chat/completions", "createChatCompletion", "OpenAI chat completions"),
  relayed("/v1/responses", "createResponse", "OpenAI responses"),
  relayed("/v1/completions", "createCompletion", "OpenAI completions"),
  relayed("/v1/embeddings", "createEmbedding", "OpenAI embeddings"),
  relayed("/v1/rerank", "rerank", "Reranking"),
  { ...relayed("/v1/messages", "createMessage", "Anthropic messages"), isAnthropic: true },
  { ...relayed("/v1/messages/count_tokens", "countTokens", "Anthropic token counting"), isAnthropic: true },
  {
    method: "get",
    path: "/v1/models",
    id: "listModels",
    tag: "Models",
    summary: "The models that connected workers offer",
    description: "With the header anthropic-version the answer has the Anthropic shape.",
    access: "client",
    answers: [
      {
        status: 200,
        description: "Every model, in alphabetical order",
        contents: [
          json(AnyModelList, {
            object: "list",
            data: [{ id: "llama3.2:3b", object: "model", created: 1_790_000_000, owned_by: "modelrelay" }],
          }),
        ],
      },
    ],
    refusals: [...GATES, ...KEYS],
  },
  {
    method: "get",
    path: "/v1/models/{id}",
    id: "getModel",
    tag: "Models",
    summary: "One model",
    description: "With the header anthropic-version the answer has the Anthropic shape. A slash in the id may be written / or %2F.",
    access: "client",
    parameters: [inPath("id", "The model's name")],
    answers: [
      {
        status: 200,
        description: "The model",
        contents: [json(AnyModel, { id: "llama3.2:3b", object: "model", created: 1_790_000_000, owned_by: "modelrelay" })],
      },
    ],
    refusals: [...GATES, ...KEYS, "model_not_found"],
  },
  {
    method: "get",
    path: "/health",
    id: "getHealth",
    tag: "Health",
    summary: "Is the relay well, and what is going on",
    access: "public",
    answers: [
      {
        status: 200,
        description: "It is",
        contents: [json(Health, { status: "ok", version: VERSION, workers_connected: 2, queue_depth: 0, uptime_secs: 3600.5 })],
      },
    ],
    refusals: GATES,
  },
  {
    method: "get",
    path: "/livez",
    id: "getLiveness",
    tag: "Health",
    summary: "Does the process answer",
    access: "public",
    answers: [{ status: 200, description: "It does", contents: [json(Status, { status: "ok" })] }],
    refusals: GATES,
  },
  {
    method: "get",
    path: "/readyz",
    id: "getReadiness",
    tag: "Health",
    summary: "Does the relay take new requests",
    access: "public",
    answers: [
      { status: 200, description: "It does", contents: [json(Status, { status: "ok" })] },
      { status: 503, description: "It is shutting down", contents: [json(Status, { status: "draining" })] },
    ],
    refusals: GATES.filter((code) => code !== "internal_error"),
  },
  {
    method: "get",
    path: "/",
    id: "getWelcome",
    tag: "Health",
    summary: "What this is and where things are; a page for browsers",
    access: "public",
    answers: [
      {
        status: 200,
        description: "The relay's addresses",
        contents: [
          json(Welcome, {
            name: "modelrelay",
            version: VERSION,
            openai_base_url: "http://127.0.0.1:8080/v1",
            anthropic_base_url: "http://127.0.0.1:8080",
          }),
          { type: "text/html", schema: null },
        ],
      },
    ],
    refusals: GATES,
  },
  {
    method: "get",
    path: "/openapi.json",
    id: "getOpenApiDocument",
    tag: "Health",
    summary: "This document",
    access: "public",
    answers: [{ status: 200, description: "It", contents: [json(OpenApiDocument, { openapi: "3.1.0" })] }],
    refusals: GATES,
  },
  {
    method: "get",
    path: "/v1/worker/connect",
    id: "connectWorker",
    tag: "Workers",
    summary: "Where workers connect by WebSocket",
    description: "A wrong secret or provider is upgraded and then closed with 1008. docs/protocol.md describes the messages.",
    access: "worker",
    parameters: [
      {
        name: "provider",
        in: "query",
        description: "The provider it registers for",
        schema: { type: "string", default: "local" },
      },
    ],
    answers: [{ status: 101, description: "The connection is a WebSocket from here on" }],
    refusals: ["origin_not_allowed", "upgrade_required"],
  },
];

/** Given to a worker's backend as it is; only routed by. */
function relayed(path: string, id: string, summary: string): Operation {
  return {
    method: "post",
    path,
    id,
    tag: "Inference",
    summary,
    description:
      "The body goes to a worker's backend byte for byte; of it the relay reads model and stream. " +
      "Status and body of the backend come back as they are, errors included.",
    access: "client",
    body: json(RelayedRequest, { model: "llama3.2:3b", stream: false }),
    answers: [
      {
        status: 200,
        description: "The backend's answer",
        contents: [
          { type: "application/json", schema: null },
          { type: "text/event-stream", schema: null },
        ],
      },
    ],
    refusals: RELAYING,
  };
}
