// The OpenAPI 3.1 document of the whole HTTP API, made from the tables of routes and the schemas that check and type their bodies.
import { toJsonSchemaDefs } from "@valibot/to-json-schema";
import type * as v from "valibot";
import { refusalKind, type RefusalCode } from "../base/errors.ts";
import { VERSION } from "../base/version.ts";
import {
  AnthropicErrorBody,
  AnthropicModel,
  AnthropicModelList,
  AnyModel,
  AnyModelList,
  ErrorBody,
  Health,
  Model,
  ModelList,
  OpenApiDocument,
  RelayedRequest,
  Status,
  Welcome,
} from "./client-schema.ts";
import { CreatedKey, Key, KeyList, NewKey } from "./key-schema.ts";
import { Cancelling, LiveRequest, LiveRequestList } from "./live-schema.ts";
import { CLIENT_OPERATIONS } from "./openapi-clients.ts";
import { OPERATOR_OPERATIONS } from "./openapi-operators.ts";
import type { Answer, Content, Operation } from "./operation.ts";
import { Stats } from "./stats-route.ts";
import { Worker, WorkerList } from "./worker-schema.ts";

export const OPERATIONS: readonly Operation[] = [...CLIENT_OPERATIONS, ...OPERATOR_OPERATIONS];

/** By the names they have in the document. */
export const SCHEMAS: Readonly<Record<string, v.GenericSchema>> = {
  RelayedRequest,
  Model,
  ModelList,
  AnthropicModel,
  AnthropicModelList,
  AnyModel,
  AnyModelList,
  ErrorBody,
  AnthropicErrorBody,
  Health,
  Status,
  Welcome,
  OpenApiDocument,
  Key,
  NewKey,
  CreatedKey,
  KeyList,
  Worker,
  WorkerList,
  Stats,
  LiveRequest,
  LiveRequestList,
  Cancelling,
};

export function openApiDocument(): object {
  return {
    openapi: "3.1.0",
    info: {
      title: "ModelRelay",
      version: VERSION,
      description: "One stable endpoint for many model servers: clients ask the relay, workers connect out to it and answer.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    tags: [...new Set(OPERATIONS.map(({ tag }) => tag))].map((name) => ({ name })),
    paths: pathsOf(OPERATIONS),
    components: {
      schemas: schemas(),
      examples: errorExamples(),
      headers: {
        RequestId: {
          description: "The request's id; the logs have it too. A sane one of the client's is kept.",
          schema: { type: "string" },
        },
        RetryAfter: { description: "Seconds after which trying again may help", schema: { type: "integer" } },
      },
      securitySchemes: {
        clientKey: { type: "http", scheme: "bearer", description: "An API key, when the relay asks for one (--require-api-keys)" },
        clientKeyHeader: { type: "apiKey", in: "header", name: "x-api-key", description: "The same in the header Anthropic clients use" },
        adminToken: { type: "http", scheme: "bearer", description: "The admin token, or an API key of the scope admin" },
        workerSecret: { type: "apiKey", in: "header", name: "x-worker-secret", description: "The secret relay and workers share" },
      },
    },
  };
}

const SECURITY = {
  public: [],
  client: [{}, { clientKey: [] }, { clientKeyHeader: [] }],
  operator: [{ adminToken: [] }],
  worker: [{ workerSecret: [] }],
} as const;

function schemas(): object {
  return toJsonSchemaDefs(SCHEMAS, {
    target: "draft-2020-12",
    typeMode: "input",
    ignoreActions: ["check"],
    overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}`,
  });
}

function pathsOf(operations: readonly Operation[]): object {
  const paths = new Map<string, Record<string, object>>();
  for (const operation of operations) {
    const path = paths.get(operation.path) ?? {};
    path[operation.method] = describe(operation);
    paths.set(operation.path, path);
  }
  return Object.fromEntries(paths);
}

function describe(operation: Operation): object {
  const { id, tag, summary, description, parameters, body, access } = operation;
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    security: SECURITY[access],
    ...(parameters === undefined
      ? {}
      : { parameters: parameters.map((parameter) => ({ ...parameter, required: parameter.in === "path" })) }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: contentOf([body]) } }),
    responses: responsesOf(operation),
  };
}

/** Own answers and refusals, one entry for each status; a status that is both may have either body. */
function responsesOf(operation: Operation): object {
  const responses: Record<string, object> = {};
  for (const answer of operation.answers) responses[answer.status] = responseOf(answer);
  for (const [status, codes] of byStatus(operation.refusals)) {
    if (operation.answers.some((answer) => answer.status === status)) throw new Error(`${operation.id} answers ${status} twice`);
    responses[status] = refusalOf(codes, operation.isAnthropic === true);
  }
  return responses;
}

function responseOf({ description, contents }: Answer): object {
  return { description, headers: { "x-request-id": REQUEST_ID }, ...(contents === undefined ? {} : { content: contentOf(contents) }) };
}

function contentOf(contents: readonly Content[]): object {
  return Object.fromEntries(
    contents.map(({ type, schema, example }) => [
      type,
      { schema: schema === null ? {} : refTo(schema), ...(example === undefined ? {} : { example }) },
    ]),
  );
}

function refusalOf(codes: readonly RefusalCode[], isAnthropic: boolean): object {
  const examples = codes.map((code) => [code, { $ref: `#/components/examples/${exampleName(code, isAnthropic)}` }] as const);
  const canRetry = codes.some((code) => refusalKind(code).retryAfterSecs !== undefined);
  return {
    description: codes.map((code) => `\`${code}\``).join(", "),
    headers: { "x-request-id": REQUEST_ID, ...(canRetry ? { "retry-after": { $ref: "#/components/headers/RetryAfter" } } : {}) },
    content: {
      "application/json": {
        schema: refTo(isAnthropic ? AnthropicErrorBody : ErrorBody),
        examples: Object.fromEntries(examples),
      },
    },
  };
}

/** Those the operations speak of. */
function errorExamples(): object {
  const examples: Record<string, object> = {};
  for (const { refusals, isAnthropic = false } of OPERATIONS) {
    for (const code of refusals) {
      examples[exampleName(code, isAnthropic)] = { summary: refusalKind(code).message, value: errorExample(code, isAnthropic) };
    }
  }
  return examples;
}

function exampleName(code: RefusalCode, isAnthropic: boolean): string {
  return isAnthropic ? `${code}_anthropic` : code;
}

function errorExample(code: RefusalCode, isAnthropic: boolean): object {
  const { message, openai, anthropic } = refusalKind(code);
  const request_id = "req_5f0c1e9a";
  if (isAnthropic) return { type: "error", error: { type: anthropic, message }, request_id };
  return { error: { message, type: openai, param: null, code, request_id } };
}

function byStatus(codes: readonly RefusalCode[]): ReadonlyMap<number, readonly RefusalCode[]> {
  const statuses = [...new Set(codes.map((code) => refusalKind(code).status))].sort((a, b) => a - b);
  return new Map(statuses.map((status) => [status, codes.filter((code) => refusalKind(code).status === status)]));
}

function refTo(schema: v.GenericSchema): object {
  const name = Object.keys(SCHEMAS).find((name) => SCHEMAS[name] === schema);
  if (name === undefined) throw new Error("a schema of the API has no name in the document");
  return { $ref: `#/components/schemas/${name}` };
}

const REQUEST_ID = { $ref: "#/components/headers/RequestId" } as const;
