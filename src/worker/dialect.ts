// How a v1 relay's client hears that its backend failed: v1 has no words for it, so the worker speaks the client's own API.
import { unreachable } from "../base/assert.ts";
import { REFUSALS } from "../base/errors.ts";

type Dialect = "chat" | "messages" | "responses";
type Code = "backend_error" | "draining" | "overloaded";

function dialectOf(path: string): Dialect {
  if (path.startsWith("/v1/messages")) return "messages";
  return path.startsWith("/v1/responses") ? "responses" : "chat";
}

/** A whole JSON error body for an answer that has not begun. */
export function errorBody(path: string, code: Code): string {
  const { message, openai, anthropic } = REFUSALS[code];
  if (dialectOf(path) === "messages") return JSON.stringify({ type: "error", error: { type: anthropic, message } });
  return JSON.stringify({ error: { message, type: openai, param: null, code } });
}

/** An event that ends a stream which has begun. */
export function errorEvent(path: string, code: Code, requestId: string): string {
  const { message, openai } = REFUSALS[code];
  const dialect = dialectOf(path);
  switch (dialect) {
    case "chat":
      return `data: ${JSON.stringify({ error: { message, type: openai, param: null, code } })}\n\n`;
    case "messages":
      return `event: error\ndata: ${errorBody(path, code)}\n\n`;
    case "responses": {
      const response = { id: `resp_${requestId}`, object: "response", status: "failed", output: [], error: { code, message } };
      return `event: response.failed\ndata: ${JSON.stringify({ type: "response.failed", response })}\n\n`;
    }
    default:
      return unreachable(dialect);
  }
}
