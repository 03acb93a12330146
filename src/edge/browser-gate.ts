// Browsers act for pages the user never asked to use the relay: what their requests must name before they are heard.
import { RelayError } from "../base/errors.ts";

export interface BrowserRules {
  /** `--cors-origin`: origins whose pages may use the client routes. */
  readonly corsOrigins: readonly string[];
  /** Hosts a browser may name on a loopback bind (DNS rebinding); null: the bind is not loopback, any host is fine. */
  readonly allowedHosts: ReadonlySet<string> | null;
}

/**
 * 1. not a browser (neither Origin nor Sec-Fetch-Site): passes
 * 2. a Host that is not ours on a loopback bind: 421
 * 3. a page of our own, or the user himself (typed, bookmarked): passes
 * 4. an origin that was allowed: passes; any other: 403
 * @throws RelayError
 */
export function checkBrowser(headers: Headers, rules: BrowserRules): void {
  const origin = headers.get("origin");
  const site = headers.get("sec-fetch-site");
  if (origin === null && site === null) return; // (1)
  const host = headers.get("host") ?? "";
  if (rules.allowedHosts !== null && !rules.allowedHosts.has(hostName(host))) throw new RelayError("host_not_allowed"); // (2)
  const isOwnPage = origin === null ? site === "none" || site === "same-origin" : sameOrigin(origin, host);
  if (isOwnPage) return; // (3)
  if (origin !== null && isAllowedOrigin(origin, rules)) return; // (4)
  throw new RelayError("origin_not_allowed");
}

export function isAllowedOrigin(origin: string, rules: BrowserRules): boolean {
  return rules.corsOrigins.includes("*") || rules.corsOrigins.includes(origin);
}

/** What an allowed page needs to read our answers. */
export function corsHeaders(origin: string, request: Headers): Record<string, string> {
  return {
    "access-control-allow-origin": origin,
    vary: "origin",
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-allow-headers": request.get("access-control-request-headers") ?? "authorization, content-type, x-api-key",
    "access-control-expose-headers": "x-request-id, x-modelrelay-worker, x-modelrelay-queue-ms, x-modelrelay-attempts, retry-after",
    "access-control-max-age": "600",
  };
}

/** The names a browser may use for a relay that listens on loopback; `extra`: --allowed-host and the host of --public-url. */
export function loopbackHosts(extra: readonly string[]): ReadonlySet<string> {
  return new Set(["localhost", "127.0.0.1", "[::1]", ...extra.map((host) => hostName(host))]);
}

export function isLoopbackAddress(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** Without the port, in lower case. Any address of 127.0.0.0/8 is the same place. */
function hostName(host: string): string {
  const name = host.trim().toLowerCase().replace(/:\d+$/, "").replace(/\.$/, "");
  return isLoopbackAddress(name) && name.startsWith("127.") ? "127.0.0.1" : name;
}

function sameOrigin(origin: string, host: string): boolean {
  return origin === `http://${host}` || origin === `https://${host}`;
}
