// Where the relay is, as the WebSocket client needs it: the address to connect to and the proxy to go through.

/** The worker endpoint of the relay at `proxyUrl`; its path prefix is kept, http becomes ws and https wss. */
export function relayAddress(proxyUrl: URL, provider: string): URL {
  const address = new URL(proxyUrl);
  address.protocol = proxyUrl.protocol === "https:" || proxyUrl.protocol === "wss:" ? "wss:" : "ws:";
  address.pathname = `${proxyUrl.pathname.replace(/\/+$/, "")}/v1/worker/connect`;
  address.hash = "";
  address.search = new URLSearchParams({ provider }).toString();
  return address;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The HTTP proxy for this address as HTTPS_PROXY (wss), HTTP_PROXY (ws), ALL_PROXY and NO_PROXY say, or null.
 * Lower-case names win, as in curl. Loopback addresses are never proxied.
 */
export function proxyFor(address: URL, environment: Environment): URL | null {
  const named = address.protocol === "wss:" ? "https_proxy" : "http_proxy";
  const value = read(environment, named) ?? read(environment, "all_proxy");
  if (value === null || isLoopback(address.hostname) || isExempt(address, read(environment, "no_proxy") ?? "")) return null;
  const spelled = value.includes("://") ? value : `http://${value}`;
  if (!URL.canParse(spelled)) return null;
  const proxy = new URL(spelled);
  return proxy.protocol === "http:" || proxy.protocol === "https:" ? proxy : null;
}

function read(environment: Environment, name: string): string | null {
  const value = environment[name] ?? environment[name.toUpperCase()];
  return value === undefined || value.trim() === "" ? null : value.trim();
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost") || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** NO_PROXY: `*`, or a list of hosts that each stand for themselves and their subdomains, with an optional port. */
function isExempt(address: URL, list: string): boolean {
  const port = address.port === "" ? (address.protocol === "wss:" ? "443" : "80") : address.port;
  return list.split(/[\s,]+/).some((entry) => {
    if (entry === "*") return true;
    const [, host = "", entryPort] = /^\*?\.?(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
    if (host === "" || (entryPort !== undefined && entryPort !== port)) return false;
    return address.hostname === host || address.hostname.endsWith(`.${host}`);
  });
}
