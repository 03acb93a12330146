// Where the backend and the relay are reached, from what operators write as their URLs.
import { describe, expect, test } from "bun:test";
import { backendUrl, inferenceUrl } from "../../src/worker/backend-address.ts";
import { proxyFor, relayAddress } from "../../src/worker/relay-address.ts";

describe("[D1] the relay's worker endpoint", () => {
  const cases: readonly (readonly [proxyUrl: string, provider: string, address: string])[] = [
    ["http://127.0.0.1:8080", "local", "ws://127.0.0.1:8080/v1/worker/connect?provider=local"],
    ["https://relay.example", "local", "wss://relay.example/v1/worker/connect?provider=local"],
    ["wss://relay.example/", "a b&c", "wss://relay.example/v1/worker/connect?provider=a+b%26c"],
    ["ws://relay.example:81/some/prefix/", "local", "ws://relay.example:81/some/prefix/v1/worker/connect?provider=local"],
  ];
  for (const [proxyUrl, provider, address] of cases) {
    test(`of ${proxyUrl}`, () => expect(relayAddress(new URL(proxyUrl), provider).href).toBe(address));
  }
});

describe("[D12] the backend's inference endpoints", () => {
  const at = (base: string, path: string): string | null => inferenceUrl(new URL(base), path)?.href ?? null;

  test("lie below its own path prefix", () => {
    expect(at("http://b:1", "/v1/messages?beta=true")).toBe("http://b:1/v1/messages?beta=true");
    expect(at("http://b:1/llm/", "/v1/chat/completions")).toBe("http://b:1/llm/v1/chat/completions");
  });

  test("never have /v1 twice", () => {
    expect(at("http://b:1/v1", "/v1/embeddings")).toBe("http://b:1/v1/embeddings");
    expect(at("http://b:1/llm/v1/", "/v1/rerank")).toBe("http://b:1/llm/v1/rerank");
    expect(backendUrl(new URL("http://b:1/v1"), "/api/tags").href).toBe("http://b:1/api/tags");
  });

  const forbidden = [
    "/",
    "/v1/models",
    "/api/pull",
    "/v1/chat/completions/",
    "/v1/../api/delete",
    "/v1/chat/completions/../../../api/delete",
    "//evil.example/v1/chat/completions",
    "http://evil.example/v1/chat/completions",
    "/V1/messages",
    "/v1/messages#x",
    "/v1/messages?a=b#c",
    "/v1/messages?a=\r\nx: y",
    "/v1/messages?a b",
    "\\v1\\messages",
    "v1/messages",
    "",
  ];
  for (const path of forbidden) {
    test(`are not ${JSON.stringify(path)}`, () => expect(at("http://b:1", path)).toBeNull());
  }
});

describe("[D23] the proxy on the way to the relay", () => {
  const env = { HTTPS_PROXY: "http://secure:1", HTTP_PROXY: "http://plain:2", NO_PROXY: "internal.example, .corp:8443 10.0.0.7" };
  const proxy = (address: string, environment: Record<string, string> = env): string | null =>
    proxyFor(new URL(address), environment)?.href ?? null;

  test("depends on the scheme", () => {
    expect(proxy("wss://relay.example/")).toBe("http://secure:1/");
    expect(proxy("ws://relay.example/")).toBe("http://plain:2/");
    expect(proxy("wss://relay.example/", {})).toBeNull();
    expect(proxy("wss://relay.example/", { all_proxy: "proxy.example:3128" })).toBe("http://proxy.example:3128/");
    expect(proxy("wss://relay.example/", { HTTPS_PROXY: "http://upper", https_proxy: "http://lower" })).toBe("http://lower/");
  });

  test("is none for hosts NO_PROXY names, and their subdomains", () => {
    expect(proxy("wss://internal.example/")).toBeNull();
    expect(proxy("wss://a.internal.example/")).toBeNull();
    expect(proxy("wss://notinternal.example/")).not.toBeNull();
    expect(proxy("wss://a.corp:8443/")).toBeNull();
    expect(proxy("wss://a.corp/")).not.toBeNull();
    expect(proxy("wss://10.0.0.7/")).toBeNull();
    expect(proxy("wss://relay.example/", { ...env, NO_PROXY: "*" })).toBeNull();
  });

  test("is none for loopback addresses", () => {
    for (const host of ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "a.localhost"]) expect(proxy(`ws://${host}:8080/`)).toBeNull();
  });

  test("is none when it is no HTTP proxy", () => {
    expect(proxy("wss://relay.example/", { HTTPS_PROXY: "socks5://proxy:1" })).toBeNull();
    expect(proxy("wss://relay.example/", { HTTPS_PROXY: "http://" })).toBeNull();
  });
});
