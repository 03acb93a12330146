// How the demo backend says no, in the error format of the dialect it was asked in.

export type ErrorFormat = "openai" | "anthropic";

export class DemoRefusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = "DemoRefusal";
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** Anthropic's routes speak Anthropic's errors; the routes both have go by the header only Anthropic's clients send. */
export function refuseAs(path: string, headers: Headers): ErrorFormat {
  if (path === "/v1/messages" || path.startsWith("/v1/messages/")) return "anthropic";
  return path.startsWith("/v1/models") && headers.has("anthropic-version") ? "anthropic" : "openai";
}

export function refuse(format: ErrorFormat, refusal: DemoRefusal): Response {
  const { status, code, message, headers } = refusal;
  if (format === "openai") {
    const type = status >= 500 ? "server_error" : "invalid_request_error";
    return Response.json({ error: { message, type, param: null, code } }, { status, headers });
  }
  const requestId = `req_${crypto.randomUUID().replaceAll("-", "")}`;
  const body = { type: "error", error: { type: anthropicType(status), message }, request_id: requestId };
  return Response.json(body, { status, headers: { ...headers, "request-id": requestId } });
}

function anthropicType(status: number): string {
  if (status === 404) return "not_found_error";
  return status >= 500 ? "api_error" : "invalid_request_error";
}
