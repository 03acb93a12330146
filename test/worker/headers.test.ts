// Which headers a worker passes on, either way.
import { describe, expect, test } from "bun:test";
import { toBackendHeaders, toRelayHeaders } from "../../src/worker/headers.ts";

describe("[D13] headers for the backend", () => {
  test("pass but for those of one connection and of this worker's own client", () => {
    const given = {
      "Content-Type": "text/x",
      "anthropic-version": "1",
      connection: "close",
      host: "evil",
      "content-length": "9",
      "transfer-encoding": "chunked",
      "accept-encoding": "gzip",
      expect: "100-continue",
      upgrade: "h2c",
    };
    expect(toBackendHeaders(given, 2, null)).toEqual({
      "content-type": "text/x",
      "anthropic-version": "1",
      "content-length": "2",
      "accept-encoding": "identity",
    });
  });

  test("carry the backend's own key in place of any other credential", () => {
    const headers = toBackendHeaders({ Authorization: "Bearer theirs", "X-Api-Key": "theirs" }, 0, "ours");
    expect(headers["authorization"]).toBe("Bearer ours");
    expect(JSON.stringify(headers)).not.toContain("theirs");
    expect(toBackendHeaders({ authorization: "Bearer theirs" }, 0, null)["authorization"]).toBe("Bearer theirs");
  });

  test("leave out what HTTP cannot carry", () => {
    const headers = toBackendHeaders({ "x bad": "1", "x-split": "a\r\nb: c", "x-wide": "€", "x-tab": "a\tb", "": "" }, 0, null);
    expect(Object.keys(headers).filter((name) => name.startsWith("x"))).toEqual(["x-tab"]);
  });
});

describe("[D13] headers for the relay", () => {
  test("are joined when repeated, and leave out those of the connection, its length and its encoding", () => {
    const raw = ["X-A", "1", "x-a", "2", "Connection", "close, X-Hop", "X-Hop", "1", "Content-Length", "3", "Content-Encoding", "gzip"];
    expect(toRelayHeaders([...raw, "Transfer-Encoding", "chunked", "Keep-Alive", "5"])).toEqual({ "x-a": "1, 2" });
  });

  test("may have any name", () => {
    expect(JSON.stringify(toRelayHeaders(["__proto__", "x", "constructor", "y"]))).toBe('{"__proto__":"x","constructor":"y"}');
  });
});
