// Which headers pass: from clients to workers, and from backends to clients. Everything else stays where it is.

const TO_WORKER = new Set([
  "content-type",
  "accept",
  "anthropic-version",
  "anthropic-beta",
  "openai-organization",
  "openai-project",
  "openai-beta",
  "idempotency-key",
  "x-request-id",
  "traceparent",
  "tracestate",
]);

const CREDENTIALS = new Set(["authorization", "x-api-key"]);

/** Names `--forward-header` may not let through: they belong to the connection, or hold what a worker must not see. */
const NEVER_TO_WORKER =
  /^(?:host|connection|keep-alive|upgrade|trailer|te|transfer-encoding|content-length|content-encoding|expect|proxy-.*|x-worker-secret)$/;

export interface RequestHeaderRules {
  /** `--forward-header`, lower case. */
  readonly forwarded: readonly string[];
  /** Is this header value a credential of this relay? Those never leave it. */
  readonly isOurCredential: (value: string) => boolean;
}

export function headersToWorker(headers: Headers, rules: RequestHeaderRules, requestId: string): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of headers) {
    const mayHoldCredential = CREDENTIALS.has(name) || (rules.forwarded.includes(name) && !NEVER_TO_WORKER.test(name));
    if (TO_WORKER.has(name) || (mayHoldCredential && !rules.isOurCredential(bareCredential(value)))) passed[name] = value;
  }
  passed["x-request-id"] = requestId;
  return passed;
}

/** The credential without its scheme. */
export function bareCredential(value: string): string {
  const match = /^bearer[ \t]+(.*)$/i.exec(value.trim());
  return (match?.[1] ?? value).trim();
}

const FROM_BACKEND =
  /^(?:content-type|retry-after|retry-after-ms|x-should-retry|request-id|x-ratelimit-.*|anthropic-ratelimit-.*|openai-.*)$/;

/** The backend's headers a client may see. `cache-control` passes for streams, where proxies in between act on it. */
export function headersToClient(headers: Readonly<Record<string, string>>, isStream: boolean): Headers {
  const passed = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    // An empty one says nothing, and the runtime adds a content type of its own to it.
    if (FROM_BACKEND.test(lower) && isFieldName(lower) && isFieldValue(value) && value.trim() !== "") passed.set(lower, value);
  }
  if (isStream) {
    passed.set("cache-control", "no-cache, no-transform");
    passed.set("x-accel-buffering", "no");
  }
  return passed;
}

/** RFC 9110 5.1: a token. */
function isFieldName(name: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name);
}

/** RFC 9110 5.5: no control characters but tab, and nothing beyond a byte. A value with others is dropped rather than mended. */
export function isFieldValue(value: string): boolean {
  return /^[\t\u0020-\u007e\u0080-\u00ff]*$/.test(value);
}

/** What a client may call its request: short and harmless in a log, a header and a URL. */
const SANE_REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;

export function requestIdOf(headers: Headers): string {
  const sent = headers.get("x-request-id");
  return sent !== null && SANE_REQUEST_ID.test(sent) ? sent : `req_${crypto.randomUUID().replaceAll("-", "")}`;
}
