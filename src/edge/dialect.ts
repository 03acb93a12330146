// Which API family a path belongs to, and how that family says that something went wrong.
import { REFUSALS, refusalKind, type RefusalCode } from "../base/errors.ts";

/** chat: OpenAI chat and completions, embeddings, everything without a dialect of its own. */
export type Dialect = "chat" | "responses" | "messages";

/** The relayed routes. */
export const RELAYED: ReadonlyMap<string, Dialect> = new Map([
  ["/v1/chat/completions", "chat"],
  ["/v1/responses", "responses"],
  ["/v1/messages", "messages"],
  ["/v1/completions", "chat"],
  ["/v1/embeddings", "chat"],
  ["/v1/messages/count_tokens", "messages"],
  ["/v1/rerank", "chat"],
]);

/** The family of any path, for errors; `isAnthropic`: the client sent `anthropic-version`. */
export function dialectOf(path: string, isAnthropic: boolean): Dialect {
  return RELAYED.get(path) ?? (path.startsWith("/v1/messages") || isAnthropic ? "messages" : "chat");
}

export interface Problem {
  readonly code: RefusalCode;
  /** A sentence of ours behind the catalogue's. */
  readonly detail: string | null;
  /** Instead of the catalogue's. */
  readonly retryAfterSecs?: number | null;
}

function problemMessage(problem: Problem): string {
  const { message } = REFUSALS[problem.code];
  return problem.detail === null ? message : `${message} ${problem.detail}`;
}

/** The JSON error body of a response that has not begun. */
export function errorBody(dialect: Dialect, problem: Problem, requestId: string): string {
  const kind = refusalKind(problem.code);
  const message = problemMessage(problem);
  if (dialect === "messages") {
    return JSON.stringify({ type: "error", error: { type: kind.anthropic, message }, request_id: requestId });
  }
  return JSON.stringify({ error: { message, type: kind.openai, param: null, code: problem.code, request_id: requestId } });
}

/** What is known of a Responses API stream that breaks: taken from its events, so that the failure fits behind them. */
export interface StreamPosition {
  readonly responseId: string | null;
  readonly sequenceNumber: number | null;
}

/** The event that ends a broken stream, in the client's own dialect. The connection is destroyed behind it. */
export function errorEvent(dialect: Dialect, problem: Problem, requestId: string, model: string, at: StreamPosition): string {
  const kind = refusalKind(problem.code);
  const message = problemMessage(problem);
  switch (dialect) {
    case "chat":
      return dataEvent(null, { error: { message, type: kind.openai, code: problem.code, request_id: requestId } });
    case "messages":
      return dataEvent("error", { type: "error", error: { type: kind.anthropic, message }, request_id: requestId });
    case "responses":
      return failedResponse({ code: problem.code, message }, requestId, model, at);
  }
}

/** A backend's own error, after the 200 that the keep-alive comments needed had been sent. Null: not an error body of the dialect. */
export function backendErrorEvent(dialect: Dialect, body: string, requestId: string, model: string): string | null {
  const error = errorObjectOf(body);
  if (error === null) return null;
  switch (dialect) {
    case "chat":
      return dataEvent(null, { error });
    case "messages":
      return dataEvent("error", { type: "error", error, request_id: requestId });
    case "responses": {
      const texts = { code: textOf(error, "code") ?? textOf(error, "type") ?? "backend_error", message: textOf(error, "message") ?? "" };
      return failedResponse(texts, requestId, model, { responseId: null, sequenceNumber: null });
    }
  }
}

function errorObjectOf(body: string): object | null {
  try {
    const parsed: unknown = JSON.parse(body);
    const error = typeof parsed === "object" && parsed !== null && "error" in parsed ? parsed.error : null;
    if (typeof error === "string") return { message: error };
    return typeof error === "object" ? error : null;
  } catch {
    return null;
  }
}

function textOf(object: object, key: string): string | null {
  const value: unknown = Reflect.get(object, key);
  return typeof value === "string" ? value : null;
}

/** `response.failed` with the fields every reader of the Responses API expects of a response object. */
function failedResponse(
  error: { readonly code: string; readonly message: string },
  requestId: string,
  model: string,
  at: StreamPosition,
): string {
  const response = {
    id: at.responseId ?? `resp_${requestId}`,
    object: "response",
    created_at: Math.floor(Date.now() / 1000),
    status: "failed",
    error,
    incomplete_details: null,
    model,
    output: [],
    parallel_tool_calls: true,
    tool_choice: "auto",
    tools: [],
    metadata: {},
    usage: null,
  };
  const sequence_number = at.sequenceNumber === null ? 0 : at.sequenceNumber + 1;
  return dataEvent("response.failed", { type: "response.failed", sequence_number, response });
}

function dataEvent(event: string | null, data: object): string {
  return `${event === null ? "" : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`;
}
