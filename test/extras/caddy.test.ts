// The shipped configuration of Caddy, in front of a real relay with a worker behind it: the same promises as nginx keeps.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { until } from "../support/until.ts";
import { startV1Worker } from "../support/v1-worker.ts";
import { CADDY_MISSING, CADDYFILE, runCaddy, startCaddy } from "./caddy.ts";
import type { FrontServer } from "./front-server.ts";
import {
  expectHangUps,
  expectHttp2,
  expectLargeBodies,
  expectOfficialLibrary,
  expectOwnAddresses,
  expectUnbuffered,
  fromAddress,
  type Scene,
  startScene,
} from "./scene.ts";

test("with CI=true nothing is left out: Caddy is there to test with", () => {
  if (process.env["CI"] === "true") expect(CADDY_MISSING).toBeNull();
});

describe.if(CADDY_MISSING === null)("behind Caddy", () => {
  let scene: Scene<FrontServer>;

  beforeAll(async () => {
    scene = await startScene(startCaddy, { adminToken: "admin-token" });
  });
  afterAll(() => scene[Symbol.asyncDispose]());

  test("[N1] the shipped file is valid, without warnings, and formatted as Caddy formats", () => {
    const { code, said } = runCaddy("validate", "--adapter", "caddyfile", "--config", CADDYFILE);
    expect([code, said.includes("Valid configuration"), said.split("\n").filter((line) => /"level":"(warn|error)"/.test(line))]).toEqual([
      0,
      true,
      [],
    ]);
    expect(runCaddy("fmt", CADDYFILE)).toEqual({ code: 0, said: readFileSync(CADDYFILE, "utf8") });
  });

  test("[N2] each event arrives before the next is written", () => expectUnbuffered(scene));

  test("[N2] HTTP/2: each event arrives before the next is written, and hanging up ends the work", () => expectHttp2(scene));

  test("[N2] the official library streams through it", () => expectOfficialLibrary(scene));

  test("[N3] bodies as large as the relay's limit arrive whole, larger ones are 413", () => expectLargeBodies(scene), 60_000);

  test("[N4] a client that hangs up ends the work at the backend", () => expectHangUps(scene));

  test("[N5] workers of both protocols connect through it with wss and serve", async () => {
    // The other is the scene's own, which serves all the tests here.
    await using old = await startV1Worker(scene.front, { models: ["of-v1"], tlsCa: scene.certificates.ca });
    const answer = scene.fetch("/v1/chat/completions", { method: "POST", body: JSON.stringify({ model: "of-v1" }) });
    (await old.nextJob()).complete(200, { headers: { "content-type": "application/json" }, body: `{"from": "v1"}` });
    expect(await (await answer).text()).toBe(`{"from": "v1"}`);
  });

  test("[N6] the relay sees the client's own address, whatever the client says of it", () => expectOwnAddresses(scene));

  test("[N7] http leads to https at the same path, with the same method", async () => {
    // The port it has in the tests is, to Caddy, that of https.
    const response = await fetch(new URL("/v1/models?a=b", scene.front.httpUrl), { method: "POST", redirect: "manual" });
    expect([response.status, response.headers.get("location")]).toEqual([308, "https://127.0.0.1/v1/models?a=b"]);
  });

  test("[N8] request ids, credentials and refusals pass as they are; the log has the id and no secret", async () => {
    const answer = await scene.fetch("/v1/chat/completions?worker_secret=canary", {
      method: "POST",
      body: "{",
      headers: { "x-request-id": "mine-1" },
    });
    expect([answer.status, answer.headers.get("x-request-id")]).toEqual([400, "mine-1"]);
    expect(await answer.json()).toMatchObject({ error: { code: "invalid_request" } });
    expect((await scene.fetch("/v1/worker/connect")).status).toBe(426);
    expect((await scene.fetch("/admin/workers", { headers: { authorization: "Bearer admin-token" } })).status).toBe(200);
    await until(() => scene.front.log().includes("/admin/workers"), "the line is written");
    expect(scene.front.log()).toContain("mine-1");
    expect(scene.front.log()).not.toMatch(/canary|admin-token/);
  });

  test("[N9] the operators' API is there for the networks named in the file, however its path is written", async () => {
    const paths = [
      "/admin/workers",
      "/%61dmin/workers",
      "/v1/../admin/workers",
      "//admin/workers",
      "/x\\..\\admin/workers",
      "/x/..%2fadmin/workers",
    ];
    expect(await fromAddress(scene, "127.0.0.4", paths)).toEqual(["403", "403", "403", "403", "400", "403"]);
    expect(await fromAddress(scene, "127.0.0.1", ["/admin/workers"])).toEqual(["200"]);
  });
});
