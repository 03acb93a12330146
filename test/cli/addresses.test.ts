// What may be written where an address or a URL is wanted.
import { expect, test } from "bun:test";
import { baseUrl, listenAddress, reachableUrl, showListenAddress } from "../../src/cli/options/addresses.ts";

test.each([
  ["127.0.0.1:8080", "127.0.0.1", 8080],
  ["0.0.0.0:8080", "0.0.0.0", 8080],
  [":8080", "0.0.0.0", 8080],
  ["*:8080", "0.0.0.0", 8080],
  ["8080", "127.0.0.1", 8080],
  ["[::1]:8080", "::1", 8080],
  ["[::]:0", "::", 0],
  ["localhost:65535", "localhost", 65535],
])("[K5] --listen %s is host %s, port %d", (text, host, port) => {
  expect(listenAddress().parse(text)).toEqual({ ok: true, value: { host, port } });
});

test.each(["", "localhost", "::1:8080", "[::1]", "a b:80", "host:", "host:99999", "host:-1", "http://a:80", "a:1:2"])(
  "[K5] --listen %j is refused",
  (text) => {
    expect(listenAddress().parse(text).ok).toBe(false);
  },
);

test("[K5] an address is shown as it is written, and reached at a loopback address when it stands for all", () => {
  expect(showListenAddress({ host: "::1", port: 1 })).toBe("[::1]:1");
  expect(reachableUrl({ host: "0.0.0.0", port: 8080 })).toBe("http://127.0.0.1:8080");
  expect(reachableUrl({ host: "::", port: 8080 })).toBe("http://[::1]:8080");
  expect(reachableUrl({ host: "10.0.0.5", port: 8080 })).toBe("http://10.0.0.5:8080");
});

test.each([
  ["http://gpu:8000", "http://gpu:8000/"],
  ["http://gpu:8000/v1", "http://gpu:8000/"],
  ["http://gpu:8000/v1/", "http://gpu:8000/"],
  ["https://host/openai/v1", "https://host/openai"],
  ["https://host/llm", "https://host/llm"],
])("[K6] the base URL %s is %s: its trailing /v1 is left off", (text, href) => {
  const outcome = baseUrl(["http", "https"]).parse(text);
  expect(outcome.ok && outcome.value.href).toBe(href);
});

test("[K6] a base URL has one of the schemes and no user, query or fragment", () => {
  const kind = baseUrl(["http", "https"]);
  for (const text of ["ws://a", "ftp://a", "http://u:p@a", "http://a?x=1", "http://a#x", "nonsense url", ""]) {
    expect(kind.parse(text).ok).toBe(false);
  }
  expect(kind.parse("localhost:11434")).toEqual({ ok: false, advice: "did you mean http://localhost:11434?" });
});
