// The one place where a client's credential is read, whatever the route and the dialect.
import { RelayError } from "../base/errors.ts";
import { bareCredential } from "./headers.ts";

/**
 * `Authorization: Bearer` (the scheme in any case) or `x-api-key`; null when there is none. An empty one counts as none: some clients
 * send that. Both are fine as long as they agree.
 * @throws RelayError invalid_request when two different ones were sent
 */
export function credentialOf(headers: Headers): string | null {
  const authorization = headers.get("authorization");
  const bearer = authorization === null ? null : bearerToken(authorization);
  const apiKey = headers.get("x-api-key")?.trim() || null;
  if (bearer !== null && apiKey !== null && bearer !== apiKey) {
    throw new RelayError("invalid_request", "'authorization' and 'x-api-key' hold different credentials.");
  }
  return bearer ?? apiKey;
}

function bearerToken(value: string): string | null {
  if (!/^bearer(?:[ \t]|$)/i.test(value.trim())) return null;
  const token = bareCredential(value);
  return token === "" || /^bearer$/i.test(token) ? null : token;
}
