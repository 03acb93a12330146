// The refusal catalogue: every way the relay says no, in one table. A code here is the log field, the metric label,
// the JSON `code` and the heading in docs/errors.md.

interface RefusalKind {
  /** HTTP status when nothing has been sent yet. */
  readonly status: number;
  /** `error.type` on OpenAI routes. */
  readonly openai: string;
  /** `error.type` on Anthropic routes. */
  readonly anthropic: string;
  /** `Retry-After` in seconds, where trying again can help. */
  readonly retryAfterSecs?: number;
  /** A fixed sentence the user can act on. */
  readonly message: string;
}

const INVALID = { openai: "invalid_request_error", anthropic: "invalid_request_error" } as const;
const SERVER = { openai: "server_error", anthropic: "api_error" } as const;
const OVERLOADED = { openai: "server_error", anthropic: "overloaded_error" } as const;
const PERMISSION = { openai: "permission_error", anthropic: "permission_error" } as const;
const NOT_FOUND = { openai: "invalid_request_error", anthropic: "not_found_error" } as const;

export const REFUSALS = {
  invalid_request: { status: 400, ...INVALID, message: "The request could not be read." },
  invalid_path: { status: 400, ...INVALID, message: "The request path is not in its canonical form." },
  invalid_api_key: {
    status: 401,
    openai: "authentication_error",
    anthropic: "authentication_error",
    message: "The API key is missing, wrong or revoked. Send it as 'Authorization: Bearer <key>' or 'x-api-key: <key>'.",
  },
  scope_not_allowed: { status: 403, ...PERMISSION, message: "This API key may not be used here." },
  model_not_allowed: { status: 403, ...PERMISSION, message: "This API key may not use this model." },
  origin_not_allowed: {
    status: 403,
    ...PERMISSION,
    message: "Web pages of this origin may not use the relay. Start it with --cors-origin to allow one.",
  },
  admin_forbidden: { status: 403, ...PERMISSION, message: "The admin API needs 'Authorization: Bearer <admin token>'." },
  model_not_found: { status: 404, ...NOT_FOUND, message: "No worker offers this model." },
  not_found: { status: 404, ...NOT_FOUND, message: "There is nothing at this path." },
  method_not_allowed: { status: 405, ...INVALID, message: "This path does not take this method." },
  body_timeout: {
    status: 408,
    openai: "invalid_request_error",
    anthropic: "request_too_large",
    message: "The request body arrived too slowly.",
  },
  body_too_large: {
    status: 413,
    openai: "invalid_request_error",
    anthropic: "request_too_large",
    message: "The request body is larger than this relay accepts.",
  },
  unsupported_encoding: {
    status: 415,
    ...INVALID,
    message: "Compressed request bodies are not accepted. Send the body without Content-Encoding.",
  },
  host_not_allowed: {
    status: 421,
    ...PERMISSION,
    message: "This Host is not one the relay answers browsers for. Start it with --allowed-host to allow one.",
  },
  upgrade_required: { status: 426, ...INVALID, message: "Workers connect to this path by WebSocket." },
  queue_full: {
    status: 429,
    openai: "rate_limit_error",
    anthropic: "overloaded_error",
    retryAfterSecs: 5,
    message: "Too many requests are waiting for a worker. Try again shortly.",
  },
  key_limit: {
    status: 429,
    openai: "rate_limit_error",
    anthropic: "rate_limit_error",
    retryAfterSecs: 5,
    message: "This API key has reached its limit. Try again shortly.",
  },
  auth_rate_limited: {
    status: 429,
    openai: "rate_limit_error",
    anthropic: "rate_limit_error",
    retryAfterSecs: 30,
    message: "Too many wrong credentials came from this address. Try again later.",
  },
  internal_error: { status: 500, ...SERVER, message: "The relay made an error. It has been logged under this request id." },
  backend_error: { status: 502, ...SERVER, message: "The model backend could not be reached or broke off its answer." },
  no_workers: {
    status: 503,
    ...OVERLOADED,
    retryAfterSecs: 10,
    message: "No worker for this model is connected. Start one with 'modelrelay work'.",
  },
  draining: { status: 503, ...OVERLOADED, retryAfterSecs: 5, message: "The relay is shutting down. Try again shortly." },
  overloaded: {
    status: 503,
    ...OVERLOADED,
    retryAfterSecs: 5,
    message: "The relay holds as many request bodies as it has memory for. Try again shortly.",
  },
  store_unavailable: {
    status: 503,
    ...SERVER,
    retryAfterSecs: 5,
    message: "The key store cannot be used at the moment. Try again shortly.",
  },
  requeue_exhausted: {
    status: 503,
    ...SERVER,
    message: "Every worker that took this request was lost before it answered.",
  },
  queue_timeout: {
    status: 504,
    ...SERVER,
    retryAfterSecs: 5,
    message: "No worker became free in time.",
  },
  request_timeout: { status: 504, ...SERVER, message: "The model backend did not answer in time." },
  chunk_timeout: { status: 504, ...SERVER, message: "The model backend stopped sending in the middle of its answer." },
  total_timeout: { status: 504, ...SERVER, message: "The request took longer than the relay allows." },
  worker_lost: { status: 502, ...SERVER, message: "The worker was lost in the middle of its answer." },
  client_stalled: { status: 504, ...SERVER, message: "The client stopped reading its answer." },
  cancelled: { status: 503, ...SERVER, message: "An operator cancelled this request." },
  shutdown: { status: 503, ...OVERLOADED, message: "The relay shut down in the middle of the answer." },
} as const satisfies Record<string, RefusalKind>;

export type RefusalCode = keyof typeof REFUSALS;

/** Why a request gets no answer, or no whole one. */
export interface Refusal {
  readonly code: RefusalCode;
  /** `model_not_found`: the nearest names on offer. */
  readonly nearest: readonly string[];
}

/** The catalogue's entry for a code, with the optional fields readable. */
export function refusalKind(code: RefusalCode): RefusalKind {
  return REFUSALS[code];
}

/** Tells the client. `detail` is a sentence of ours that follows the fixed one; never text of a peer or an exception. */
export class RelayError extends Error {
  readonly code: RefusalCode;
  readonly detail: string | null;
  /** Instead of the catalogue's `Retry-After`, in seconds. */
  readonly retryAfterSecs: number | null;

  constructor(code: RefusalCode, detail: string | null = null, retryAfterSecs: number | null = null) {
    super(detail === null ? code : `${code}: ${detail}`);
    this.name = "RelayError";
    this.code = code;
    this.detail = detail;
    this.retryAfterSecs = retryAfterSecs;
  }
}

/** The other end of a worker socket broke the protocol: close with this code and reason. */
export class PeerError extends Error {
  readonly closeCode: number;

  constructor(closeCode: number, reason: string) {
    super(reason);
    this.name = "PeerError";
    this.closeCode = closeCode;
  }
}

/** A command was asked for rightly and could not be done: shown without a stack, exit code 1. */
export class CommandError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CommandError";
  }
}

/** The operator gave something that cannot be used: shown without a stack, exit code 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}
