// The small pure gates: paths, header values, request ids, hosts.
import { expect, test } from "bun:test";
import { corsHeaders, isLoopbackAddress, loopbackHosts } from "../../src/edge/browser-gate.ts";
import { bareCredential, headersToClient, isFieldValue, requestIdOf } from "../../src/edge/headers.ts";
import { isCanonicalPath, pathOf, rawTarget } from "../../src/edge/path-gate.ts";

test("[H14] the canonical form of a path", () => {
  const good = [
    "/",
    "/v1/models",
    "/v1/models/org%2Fname",
    "/v1/models/a%20b",
    "/v1/a.b/c..d/...",
    "/v1/x?y=%2e%2e//\\",
    "/v1/models/%C3%BC",
    "/v1/x?y=%23",
  ];
  for (const path of good) expect([path, isCanonicalPath(path)]).toEqual([path, true]);
  const bad = [
    "",
    "v1",
    "*",
    "//",
    "/v1//x",
    "/v1\\x",
    "/..",
    "/./x",
    "/v1/..",
    "/%2e",
    "/%2E%2e/x",
    "/a%2fb",
    "/a%5Cb",
    "/a%00",
    "/a%1f",
    "/a%7F",
    "/a b",
    "/a#b",
    "/a?b#c",
  ];
  for (const path of [...bad, "/a\u0000", "/a\u007f", "/v1/models/%2e%2e", "/v1/models/..", "/v1/models/a%5cb", "/v1/models%2fa"]) {
    expect([path, isCanonicalPath(path)]).toEqual([path, false]);
  }
});

test("[H14] the target is what stood in the request line", () => {
  const targets = [
    ["http://h/v1/a?b=c", "/v1/a?b=c"],
    ["http://h:1", "/"],
    ["/v1/a?u=http://x/y", "/v1/a?u=http://x/y"],
    ["https://[::1]:8/a", "/a"],
  ] as const;
  for (const [url, target] of targets) expect(rawTarget(url)).toBe(target);
  expect(pathOf("/a?b?c")).toBe("/a");
});

test("[H9] a sane request id is kept, anything else replaced", () => {
  for (const id of ["a", "A.b_c:d-9", "x".repeat(128)]) expect(requestIdOf(new Headers({ "x-request-id": id }))).toBe(id);
  for (const id of ["", "x".repeat(129), "a b", "a/b", "ü", "a,b"])
    expect(requestIdOf(new Headers({ "x-request-id": id }))).toMatch(/^req_/);
  expect(requestIdOf(new Headers())).not.toBe(requestIdOf(new Headers()));
});

test("[H7] the credential is found behind its scheme", () => {
  for (const value of ["k", "Bearer k", "bearer\t k ", " BEARER  k"]) expect(bareCredential(value)).toBe("k");
  for (const value of ["Bearer", "Bearerk", "Basic k"]) expect(bareCredential(value)).toBe(value);
});

test("[H8] a value with control characters is dropped rather than mended", () => {
  expect(["a", "", "a\tb", "ü"].map(isFieldValue)).toEqual([true, true, true, true]);
  expect(["a\r\nb: c", "a\nb", "\u0000", "\u007f"].map(isFieldValue)).toEqual([false, false, false, false]);
  expect([...headersToClient({ "retry-after": "1\r\nx: y", "X-RateLimit-A": "2", "set-cookie": "a" }, false)]).toEqual([
    ["x-ratelimit-a", "2"],
  ]);
});

test("[H2] an empty header says nothing and is left out: the runtime would make something else of it", () => {
  expect([...headersToClient({ "content-type": "", "openai-organization": " \t", "retry-after": "0" }, false)]).toEqual([
    ["retry-after", "0"],
  ]);
});

test("[H15] loopback addresses and the hosts that stand for them", () => {
  for (const host of ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"]) expect([host, isLoopbackAddress(host)]).toEqual([host, true]);
  for (const host of ["0.0.0.0", "::", "127.0.0.1.x", "10.0.0.1", "localhost.x", ""])
    expect([host, isLoopbackAddress(host)]).toEqual([host, false]);
  expect([...loopbackHosts(["Relay.Lan:80"])]).toEqual(["localhost", "127.0.0.1", "[::1]", "relay.lan"]);
});

test("[H15] an allowed page is told what it may send; without asking, the usual", () => {
  const headers = corsHeaders("https://a.example", new Headers());
  expect(headers["access-control-allow-headers"]).toContain("x-api-key");
  expect(headers["vary"]).toBe("origin");
});
