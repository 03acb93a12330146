// How the operators' API answers: JSON that nobody keeps a copy of, and the relay's own error shape.
import type { Context } from "hono";
import { refusalKind, type RelayError } from "../base/errors.ts";

/** Set by whoever mounts the app; a request id is made here when there is none. */
export interface AdminVariables {
  requestId?: string;
  /** Of the client, as far as proxies we trust tell. */
  address?: () => string;
}

export type AdminContext = Context<{ Variables: AdminVariables }>;

export function requestIdOf(c: AdminContext): string {
  const known = c.get("requestId");
  if (known !== undefined) return known;
  const made = `req_${crypto.randomUUID().replaceAll("-", "")}`;
  c.set("requestId", made);
  return made;
}

export function answer(c: AdminContext, status: number, body: object | null): Response {
  const headers = new Headers({ "cache-control": "no-store", "x-content-type-options": "nosniff", "x-request-id": requestIdOf(c) });
  if (body === null) return new Response(null, { status, headers });
  headers.set("content-type", "application/json");
  return new Response(JSON.stringify(body), { status, headers });
}

/** Operators have one error shape, the OpenAI one, whatever headers they send. */
export function refuse(c: AdminContext, { code, detail, retryAfterSecs }: RelayError): Response {
  const { status, openai, message, retryAfterSecs: usualSecs } = refusalKind(code);
  const text = detail === null ? message : `${message} ${detail}`;
  const response = answer(c, status, { error: { message: text, type: openai, param: null, code, request_id: requestIdOf(c) } });
  const waitSecs = retryAfterSecs ?? usualSecs;
  if (waitSecs !== undefined) response.headers.set("retry-after", String(waitSecs));
  return response;
}
