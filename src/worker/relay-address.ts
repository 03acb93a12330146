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

/** The proxy that a connection goes through, and the variable that names it. */
export interface NamedProxy {
  readonly url: URL;
  readonly variable: string;
}

/** What the variables say of one address. */
export type ProxyChoice =
  | { readonly kind: "direct" }
  | ({ readonly kind: "proxy" } & NamedProxy)
  /** They name something that is no HTTP proxy. Other programs may know it, so it is no reason not to start: the way is direct. */
  | { readonly kind: "unusable"; readonly variable: string; readonly cause: string };

/**
 * The HTTP proxy for this address as HTTPS_PROXY (wss), HTTP_PROXY (ws), ALL_PROXY and NO_PROXY say.
 * Lower-case names win, as in curl. Loopback addresses are never proxied.
 */
export function chooseProxy(address: URL, environment: Environment): ProxyChoice {
  const named = read(environment, address.protocol === "wss:" ? "https_proxy" : "http_proxy") ?? read(environment, "all_proxy");
  const exempt = read(environment, "no_proxy")?.value ?? "";
  if (named === null || isLoopback(address.hostname) || isExempt(address, exempt)) return { kind: "direct" };
  const { variable, value } = named;
  const spelled = value.includes("://") ? value : `http://${value}`;
  // The value itself is not shown: it may hold a password.
  if (!URL.canParse(spelled)) return { kind: "unusable", variable, cause: "it is no URL" };
  const url = new URL(spelled);
  if (url.protocol === "http:" || url.protocol === "https:") return { kind: "proxy", variable, url };
  return { kind: "unusable", variable, cause: `${url.protocol}// is not spoken, only http:// and https://` };
}

/** The same for those who only connect: null is the direct way. */
export function proxyFor(address: URL, environment: Environment): URL | null {
  const choice = chooseProxy(address, environment);
  return choice.kind === "proxy" ? choice.url : null;
}

function read(environment: Environment, name: string): { readonly variable: string; readonly value: string } | null {
  const variable = environment[name] === undefined ? name.toUpperCase() : name;
  const value = environment[variable]?.trim() ?? "";
  return value === "" ? null : { variable, value };
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
