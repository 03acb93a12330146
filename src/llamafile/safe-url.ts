// Which addresses are fetched from: https, and plain http on this machine only, since what comes from there is run.

export const UNSAFE_URL = "a URL has to begin with https:// (http:// is for this machine only, as in http://127.0.0.1:8000)";

export function isSafeUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== "" || url.password !== "") return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url));
}

/** A redirect may not leave https, and not lead from elsewhere to this machine. */
export function mayRedirect(from: URL, to: URL): boolean {
  return isSafeUrl(to.href) && (to.protocol === "https:" || isLoopback(from));
}

/** Left alone, the runtime would send requests to this very machine through the proxy of HTTP_PROXY too. */
export function pastProxy(url: URL): Pick<BunFetchRequestInit, "proxy"> {
  return isLoopback(url) ? { proxy: false } : {};
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
