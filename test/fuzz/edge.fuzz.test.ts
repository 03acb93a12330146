// The small readers at the edge: path, host, credential, headers both ways, and addresses behind proxies.
import { expect } from "bun:test";
import { validateHeaderName, validateHeaderValue } from "node:http";
import { isIPv4, isIPv6 } from "node:net";
import { RelayError } from "../../src/base/errors.ts";
import { checkBrowser, loopbackHosts } from "../../src/edge/browser-gate.ts";
import { credentialOf } from "../../src/edge/credential.ts";
import { headersToClient, headersToWorker, requestIdOf } from "../../src/edge/headers.ts";
import { isCanonicalPath, pathOf, rawTarget } from "../../src/edge/path-gate.ts";
import { clientAddress, isAddressRange, trustedProxies } from "../../src/edge/peer-address.ts";
import { toBackendHeaders, toRelayHeaders } from "../../src/worker/headers.ts";
import { anyText, fuzz, replay } from "./fuzz.ts";

const STEPS = [
  "/",
  "//",
  "v1",
  "models",
  "..",
  ".",
  "%2e",
  "%2E%2e",
  "%2f",
  "%5C",
  "\\",
  "%00",
  "%7f",
  "a",
  "%20",
  "%",
  "?",
  "#",
  "a%2Fb",
  "é",
];

function checkPath(target: string): void {
  const isCanonical = isCanonicalPath(target);
  expect(isCanonicalPath(target)).toBe(isCanonical);
  const path = pathOf(target);
  expect(target.startsWith(path)).toBe(true);
  if (!isCanonical) return;
  // What a URL parser would make another path of is not canonical.
  if (/^[\w/.~!$&'()*+,;=:@%-]+$/.test(path)) expect(new URL(`http://relay${path}`).pathname).toBe(path);
  // A model's id is no path: its slashes are data.
  const segments = (path.startsWith("/v1/models/") ? path : path.replaceAll(/%2f/gi, "/")).split("/");
  for (const segment of segments) expect([".", "..", ".%2e", "%2e."].includes(segment.toLowerCase())).toBe(false);
  expect(rawTarget(`http://host:8080${target}`)).toBe(target);
}

replay("paths", "paths are canonical or not", (bytes) => {
  for (const line of bytes.toString("utf8").split("\n")) checkPath(line);
});

fuzz({
  title: "a canonical path is read alike by whoever reads it",
  runs: 10_000,
  run: (random) => {
    checkPath(random.oneIn(4) ? anyText(random, 12) : `/${Array.from({ length: random.below(7) }, () => random.pick(STEPS)).join("")}`);
    expect(() => rawTarget(anyText(random, 20))).not.toThrow();
  },
});

/** What Headers take of it, as they would from a socket. */
function headersOf(pairs: readonly (readonly [string, string])[]): Headers {
  const headers = new Headers();
  for (const [name, value] of pairs) {
    try {
      headers.append(name, value);
    } catch {
      // No socket lets such a one through.
    }
  }
  return headers;
}

const HOSTS = [
  "localhost",
  "127.0.0.1",
  "[::1]",
  "::1",
  "evil.example",
  "relay.lan",
  "127.1.2.3",
  "127.0.0.1.evil.example",
  "localhost.",
  "0",
];

fuzz({
  title: "a browser that names a host of others is never let in on a loopback bind",
  runs: 6_000,
  run: (random) => {
    const host =
      (random.oneIn(3) ? anyText(random, 8) : random.pick(HOSTS)) + random.pick(["", "", ":80", ":", ":x", ":8080:1", "@a", "/", "."]);
    const headers = headersOf([
      ["host", host],
      ["origin", random.pick([`http://${host}`, "null", "https://evil.example", anyText(random, 9)])],
      ["sec-fetch-site", random.pick(["same-origin", "cross-site", "none"])],
    ]);
    const rules = { corsOrigins: random.pick([[], ["*"]]), allowedHosts: loopbackHosts(["relay.lan"]) };
    try {
      checkBrowser(headers, rules);
    } catch (error) {
      if (!(error instanceof RelayError)) throw error;
      expect(["host_not_allowed", "origin_not_allowed"]).toContain(error.code);
      return;
    }
    if (!headers.has("origin") && !headers.has("sec-fetch-site")) return;
    const named = URL.parse(`http://${headers.get("host") ?? ""}`)?.hostname.replace(/\.$/, "") ?? "localhost";
    expect([host, named]).toEqual([host, expect.stringMatching(/^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\]|relay\.lan)$/)]);
  },
});

const SCHEMES = ["Bearer ", "bearer\t", "BEARER  ", "Basic ", "Bearer", "", " Bearer ", "Bearer Bearer "];

fuzz({
  title: "a credential is a text without space around it, or none, or a refusal",
  runs: 6_000,
  run: (random) => {
    const token = (): string => random.pick(["", " ", "mr-key", "a b", anyText(random, 12)]);
    const headers = headersOf([
      ...(random.oneIn(4) ? [] : [["authorization", random.pick(SCHEMES) + token()] as const]),
      ...(random.oneIn(2) ? [] : [["x-api-key", token()] as const]),
    ]);
    let credential: string | null;
    try {
      credential = credentialOf(headers);
    } catch (error) {
      if (!(error instanceof RelayError)) throw error;
      expect(error.code).toBe("invalid_request");
      expect(headers.has("x-api-key") && headers.has("authorization")).toBe(true);
      return;
    }
    expect(credentialOf(headers)).toBe(credential);
    if (credential === null) return;
    expect(credential).toBe(credential.trim());
    expect(credential).not.toBe("");
    const sent = [headers.get("authorization") ?? "", headers.get("x-api-key") ?? ""];
    expect(sent.some((value) => value.endsWith(credential) || value.trim() === credential)).toBe(true);
  },
});

const NAMES = [
  "Content-Type",
  "set-cookie",
  "Authorization",
  "x-api-key",
  "cookie",
  "x-ratelimit-a",
  "openai-x",
  "retry-after",
  "host",
  "te",
];
const SECRET = "a-secret-of-this-relay";

fuzz({
  title: "headers pass by their lists alone, and what passes can be sent",
  runs: 6_000,
  run: (random) => {
    const name = (): string => (random.oneIn(3) ? random.pick(["openai-", "x-ratelimit-", ""]) + anyText(random, 6) : random.pick(NAMES));
    const value = (): string => random.pick([SECRET, `Bearer ${SECRET}`, "1\r\nset-cookie: a=b", anyText(random, 9), "plain"]);
    const pairs = Array.from({ length: random.below(8) }, () => [name(), value()] as const);
    const headers = headersOf(pairs);

    const rules = { forwarded: [name().toLowerCase(), "cookie", "host", "te"], isOurCredential: (text: string) => text === SECRET };
    const toWorker = headersToWorker(headers, rules, requestIdOf(headers));
    expect(toWorker["x-request-id"]).toMatch(/^[A-Za-z0-9._:-]{1,128}$/);
    for (const name of ["host", "te"]) expect(toWorker).not.toHaveProperty(name);
    for (const name of ["authorization", "x-api-key", "cookie"])
      expect(toWorker[name] ?? "").not.toMatch(new RegExp(`^(?:Bearer )?${SECRET}$`));

    const toClient = headersToClient(Object.fromEntries(pairs), random.oneIn(2));
    for (const [name] of toClient)
      expect(name).toMatch(/^(?:content-type|retry-after|x-ratelimit-.*|openai-.*|cache-control|x-accel-buffering)$/);
    expect(() => new Response("", { headers: toClient })).not.toThrow();

    for (const apiKey of [null, "backend-key"]) {
      const toBackend = toBackendHeaders(Object.fromEntries(pairs), 5, apiKey);
      for (const [name, value] of Object.entries(toBackend)) {
        validateHeaderName(name);
        validateHeaderValue(name, value);
      }
      if (apiKey !== null) expect(toBackend).toMatchObject({ authorization: "Bearer backend-key" });
    }
    expect(toRelayHeaders(pairs.flat())).not.toHaveProperty("content-length");
  },
});

const ADDRESSES = [
  "203.0.113.7",
  "10.0.0.1",
  "10.255.255.255",
  "::1",
  "2001:db8::1",
  "fd00::1",
  "::ffff:10.0.0.1",
  "[fd00::2]",
  "fe80::1%eth0",
  "127.0.0.1",
];
const RANGES = ["10.0.0.0/8", "fd00::/8", "127.0.0.1", "::1/128", "2001:db8::/32", "0.0.0.0/0", "fe80::/10"];

fuzz({
  title: "the client's address is the peer's, or one of those its trusted proxies wrote",
  runs: 8_000,
  run: (random) => {
    const range = (): string =>
      random.oneIn(3) ? random.pick(ADDRESSES) + random.pick(["", "/", "/33", "/129", "/0", "/x", "//1"]) : random.pick(RANGES);
    const cidrs = Array.from({ length: random.below(4) }, range).filter(isAddressRange);
    const proxies = trustedProxies(cidrs);
    const hop = (): string => (random.oneIn(4) ? anyText(random, 8) : random.pick(ADDRESSES));
    const [peer, forwarded] = [
      random.pick([...ADDRESSES, "unknown", ""]),
      random.oneIn(4) ? null : Array.from({ length: random.below(5) }, hop).join(random.pick([",", ", ", " ,"])),
    ];
    const address = clientAddress(peer, forwarded, proxies);
    expect(clientAddress(peer, forwarded, proxies)).toBe(address);
    const all = `${forwarded ?? ""},${peer}`;
    expect(all).toContain(address);
    if (!all.includes("%")) expect([peer, forwarded, cidrs, address]).toEqual([peer, forwarded, cidrs, slowly(peer, forwarded, cidrs)]);
  },
});

/** From the right: past every address that is in one of the ranges, up to the first that is not, or that is none. */
function slowly(peer: string, forwarded: string | null, cidrs: readonly string[]): string {
  const plain = (text: string): string => text.replace(/^\[(.*)\]$/, "$1").replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
  const hops = [...(forwarded === null ? [] : forwarded.split(",")), peer].map((hop, index, all) =>
    plain(index < all.length - 1 ? hop.trim() : hop),
  );
  for (let at = hops.length - 1; ; at--) {
    const behind = hops[at - 1];
    if (behind === undefined || !cidrs.some((cidr) => isInside(hops[at]!, cidr))) return hops[at]!;
    if (bitsOf(behind) === null) return hops[at]!;
  }
}

function isInside(address: string, cidr: string): boolean {
  const [range = "", prefix] = cidr.split("/");
  const other = bitsOf(range);
  // An IPv4 address is also the IPv6 address it is mapped to.
  const one = isIPv4(address) && isIPv6(range) ? bitsOf(`::ffff:${address}`) : bitsOf(address);
  return (
    one !== null && other?.length === one.length && one.startsWith(other.slice(0, prefix === undefined ? other.length : Number(prefix)))
  );
}

/** The address as its 32 or 128 binary digits. */
function bitsOf(address: string): string | null {
  if (isIPv4(address))
    return address
      .split(".")
      .map((byte) => Number(byte).toString(2).padStart(8, "0"))
      .join("");
  if (!isIPv6(address)) return null;
  const [left = "", right] = address
    .replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...bytes: string[]) => {
      const [a = 0, b = 0, c = 0, d = 0] = bytes.map(Number);
      return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
    })
    .split("::");
  const groups = (text: string | undefined): string[] => (text ?? "").split(":").filter((group) => group !== "");
  const zeros = Array.from({ length: 8 - groups(left).length - groups(right).length }, () => "0");
  return [...groups(left), ...zeros, ...groups(right)].map((group) => Number.parseInt(group, 16).toString(2).padStart(16, "0")).join("");
}
