// The kinds of values that name a place on the network: the address to listen on and the URLs of the other parties.
import * as v from "valibot";
import { kind, toUrl } from "./kinds.ts";
import type { Outcome, ValueKind } from "./option.ts";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, `:port` (every IPv4 address), `[::]:port` (every address), `port` (this machine only), `[::1]:8080`. Port 0 takes any free one. */
export function listenAddress(): ValueKind<ListenAddress> {
  return {
    hint: "address",
    expects: "an address to listen on, such as 127.0.0.1:8080, 0.0.0.0:8080, [::1]:8080, :8080 or 8080",
    shape: "one",
    parse: parseListenAddress,
    show: showListenAddress,
  };
}

/** The text form, with IPv6 in brackets. */
export function showListenAddress({ host, port }: ListenAddress): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Where this machine reaches a server that listens at `address`: the wildcard addresses are not ones to connect to. */
export function reachableUrl({ host, port }: ListenAddress): string {
  const reachable = WILDCARD_HOSTS.get(host) ?? host;
  return `http://${showListenAddress({ host: reachable, port })}`;
}

type Scheme = "http" | "https" | "ws" | "wss";

/**
 * A base URL with an optional path prefix. A trailing `/v1` is left off: the request paths bring their own, and base
 * URLs of client libraries are written with it so often that refusing it would only teach people to retype it.
 */
export function baseUrl(schemes: readonly Scheme[]): ValueKind<URL> {
  const names = schemes.map((scheme) => `${scheme}://`);
  const expects = `a URL beginning with ${names.slice(0, -1).join(", ")} or ${names.at(-1)}, without user, query or fragment`;
  const schema = v.pipe(
    v.string(),
    v.maxLength(URL_MAX_CHARS),
    v.transform(toUrl),
    v.instance(URL),
    v.check((url) => schemes.some((scheme) => url.protocol === `${scheme}:`)),
    v.check((url) => url.username === "" && url.password === "" && url.search === "" && url.hash === ""),
    v.transform(withoutTrailingV1),
  );
  const base = kind("url", expects, schema, showUrl);
  return { ...base, parse: (text) => withScheme(base.parse(text), text.trim()) };
}

/** A base URL kept as text, as it is only ever shown. */
export function publicUrl(): ValueKind<string> {
  const url = baseUrl(["http", "https"]);
  return {
    hint: url.hint,
    expects: url.expects,
    shape: url.shape,
    show: String,
    parse(text) {
      const outcome = url.parse(text);
      return outcome.ok ? { ok: true, value: showUrl(outcome.value) } : outcome;
    },
  };
}

/** Without the slash that `URL` puts behind a bare host. */
export function showUrl(url: URL): string {
  return url.href.replace(/\/+$/, "");
}

const WILDCARD_HOSTS = new Map([
  ["0.0.0.0", "127.0.0.1"],
  ["::", "::1"],
]);
const URL_MAX_CHARS = 2_048;
const PORT_MAX = 65_535;

function parseListenAddress(text: string): Outcome<ListenAddress> {
  const trimmed = text.trim();
  const match = /^(?:(\[[0-9a-f:.%]+\]|[^\s:/[\]]*):)?(\d{1,5})$/i.exec(trimmed);
  if (match === null) return adviseOnListenAddress(trimmed);
  const port = Number(match[2]);
  if (port > PORT_MAX) return { ok: false, advice: `ports go up to ${PORT_MAX}` };
  const host = match[1];
  if (host === undefined) return { ok: true, value: { host: "127.0.0.1", port } };
  if (host === "" || host === "*") return { ok: true, value: { host: "0.0.0.0", port } };
  return { ok: true, value: { host: host.replace(/^\[|\]$/g, ""), port } };
}

function adviseOnListenAddress(text: string): Outcome<ListenAddress> {
  const url = /^https?:\/\/([^/]+)/i.exec(text);
  if (url !== null) return { ok: false, advice: `leave off the scheme: ${url[1]}` };
  if (/^[\w.-]+$/.test(text)) return { ok: false, advice: `add a port: ${text}:8080` };
  return { ok: false };
}

function withScheme(outcome: Outcome<URL>, text: string): Outcome<URL> {
  if (outcome.ok || !/^[\w.-]+(:\d+)?(\/[\w./-]*)?$/.test(text)) return outcome;
  return { ok: false, advice: `did you mean http://${text}?` };
}

function withoutTrailingV1(url: URL): URL {
  const cut = new URL(url);
  cut.pathname = url.pathname.replace(/\/v1\/?$/, "");
  return cut;
}
