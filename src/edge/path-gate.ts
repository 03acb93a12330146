// One spelling per path: whatever decides about a request decides about the same path. The runtime has resolved dot segments and
// backslashes before we see it; what it leaves ambiguous is refused here.

/** The target as it stood in the request line, from `Request.url`, which is relative when the Host header was unusable. */
export function rawTarget(url: string): string {
  if (url.startsWith("/")) return url;
  const authority = url.indexOf("://");
  const path = authority < 0 ? -1 : url.indexOf("/", authority + 3);
  return path < 0 ? "/" : url.slice(path);
}

/** A model id may hold a slash, which SDKs send as %2F: the one place where it is not a way around a path rule. */
const MODEL_ROUTE = "/v1/models/";

/**
 * Backslashes, empty, dot and encoded-dot segments, encoded separators, control characters and spaces have no business in a path,
 * and a `#` has none in the whole target (RFC 9112 3.2): what is behind it in a URL stays at the client.
 */
export function isCanonicalPath(target: string): boolean {
  if (target.includes("#")) return false;
  const path = pathOf(target);
  if (!path.startsWith("/")) return false;
  const isModel = path.startsWith(MODEL_ROUTE);
  return !FORBIDDEN.test(isModel ? path.replaceAll(/%2f/gi, "") : path);
}

export function pathOf(target: string): string {
  const query = target.indexOf("?");
  return query < 0 ? target : target.slice(0, query);
}

// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const FORBIDDEN = /\\|\/\/|\/\.{1,2}(?:\/|$)|%2e|%2f|%5c|%[01][0-9a-f]|%7f|[\u0000-\u0020\u007f]/i;
