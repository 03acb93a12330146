// The headers between relay and backend: what belongs to one connection stays on it, everything else passes.

/** RFC 9110 section 7.6.1, and the old names still seen. Headers named in `Connection` join them. */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];
/** Set by this worker's own HTTP client. */
const OWN = ["host", "content-length", "accept-encoding", "expect"];

export type Headers = Readonly<Record<string, string>>;

/**
 * Headers for the backend. Compression is asked off: the bytes go on as they come. The backend's own key, when there is
 * one, takes the place of any credential a client sent.
 */
export function toBackendHeaders(fromRelay: Headers, length: number, apiKey: string | null): Headers {
  const dropped = new Set([...HOP_BY_HOP, ...OWN]);
  if (apiKey !== null) dropped.add("authorization").add("x-api-key");
  const kept = new Map([["content-type", "application/json"]]);
  for (const [given, value] of Object.entries(fromRelay)) {
    const name = given.toLowerCase();
    // Node throws on names and values that HTTP cannot carry; one of a relay's is not worth the request.
    if (!dropped.has(name) && /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)) kept.set(name, value);
  }
  kept.set("content-length", String(length)).set("accept-encoding", "identity");
  if (apiKey !== null) kept.set("authorization", `Bearer ${apiKey}`);
  return Object.fromEntries(kept);
}

/**
 * Headers for the relay, from node's flat list of names and values. Repeated ones are joined with ", ". The length goes
 * because frames carry it, the encoding because the worker undoes it.
 */
export function toRelayHeaders(raw: readonly string[]): Headers {
  const joined = new Map<string, string>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase();
    const before = joined.get(name);
    joined.set(name, before === undefined ? raw[at + 1]! : `${before}, ${raw[at + 1]!}`);
  }
  const ofConnection = (joined.get("connection") ?? "").split(",").map((name) => name.trim().toLowerCase());
  for (const name of [...HOP_BY_HOP, ...ofConnection, "content-length", "content-encoding"]) joined.delete(name);
  return Object.fromEntries(joined);
}
