// `modelrelay health` against servers that are well, unwell and not there.
import { expect, test } from "bun:test";
import { hangMidStream, unary } from "../support/fake-backend-answers.ts";
import type { Answer } from "../support/fake-backend-exchange.ts";
import { startFakeBackend } from "../support/fake-backend.ts";
import { runCli } from "./run-cli.ts";

const WELL = unary(200, '{"status":"ok","version":"0.1.0","workers_connected":2,"queue_depth":0,"uptime_secs":1}');

test.each<[string, Answer, number, RegExp]>([
  ["well", WELL, 0, /^ok: http:\/\/127\.0\.0\.1:\d+ version=0\.1\.0 workers_connected=2 queue_depth=0\n$/],
  ["failing", unary(500, "{}"), 1, /^unhealthy: http:\S+ answered 500, not as a relay does\n$/],
  ["something else", unary(200, "<html>"), 1, /^unhealthy: http:\S+ answered 200, not as a relay does\n$/],
])("[K19] what is %s gives its exit code and one line", async (_what, answer, code, line) => {
  const server = startFakeBackend(answer);
  try {
    const result = await runCli(["health", "--url", server.url]);
    expect({ code: result.code, err: result.err }).toEqual({ code, err: "" });
    expect(result.out).toMatch(line);
  } finally {
    await server.stop();
  }
});

test("[K19] a relay whose answer does not come to its end is one that did not answer", async () => {
  const server = startFakeBackend(hangMidStream(["x"]));
  try {
    const { code, out } = await runCli(["health", "--url", server.url, "--timeout", "0.3"]);
    expect([code, out]).toEqual([1, `unhealthy: the relay at ${server.url} did not answer in 0.3 s; --timeout gives it longer\n`]);
  } finally {
    await server.stop();
  }
});

test("[K19] without --url it asks where the variables say the relay is", async () => {
  const server = startFakeBackend(WELL);
  const { port } = new URL(server.url);
  try {
    expect((await runCli(["health"], { LISTEN_ADDR: `0.0.0.0:${port}` })).code).toBe(0);
    expect((await runCli(["health"], { LISTEN_ADDR: `:${port}` })).code).toBe(0);
    expect((await runCli(["health"], { PROXY_URL: `ws://127.0.0.1:${port}` })).code).toBe(0);
  } finally {
    await server.stop();
  }
  expect(await runCli(["health"], { LISTEN_ADDR: `127.0.0.1:${port}` })).toEqual({
    code: 1,
    out: `unhealthy: the relay at http://127.0.0.1:${port} cannot be reached: no connection. Is it running? --url gives another address, with https:// where it has a certificate\n`,
    err: "",
  });
});
