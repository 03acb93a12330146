// Who gets in, which methods there are, and what every answer has in common.
import { describe, expect, test } from "bun:test";
import { RelayError } from "../../src/base/errors.ts";
import { errorOf, startAdminRig, TOKEN } from "./rig.ts";

/** Method, path, the status an operator gets, the methods there are. */
const ROUTES: readonly (readonly [method: string, path: string, status: number, allow: string])[] = [
  ["GET", "/admin/workers", 200, "GET, HEAD"],
  ["GET", "/admin/stats", 200, "GET, HEAD"],
  ["GET", "/admin/requests", 200, "GET, HEAD"],
  ["GET", "/admin/keys", 200, "GET, HEAD, POST"],
  ["POST", "/admin/keys", 400, "GET, HEAD, POST"],
  ["DELETE", "/admin/keys/0192f3c4-8a10-4c2e-9a53-3f3d8e6f7a01", 404, "DELETE"],
  ["POST", "/admin/workers/w1-0/drain", 404, "POST"],
  ["POST", "/admin/workers/w1-0/resume", 404, "POST"],
  ["POST", "/admin/workers/w1-0/refresh", 404, "POST"],
  ["POST", "/admin/requests/r1/cancel", 404, "POST"],
];

const UNKNOWN = ["/admin", "/admin/", "/admin/nothing", "/admin/keys/a/b", "/admin/workers/w1/explode"];

const CREDENTIALS: readonly (readonly [what: string, headers: Readonly<Record<string, string>>])[] = [
  ["no credential", {}],
  ["a wrong token", { authorization: "Bearer wrong" }],
  ["half the token", { authorization: `Bearer ${TOKEN.slice(0, -1)}` }],
  ["an empty token", { authorization: "Bearer " }],
  ["the token as a cookie", { cookie: `token=${TOKEN}` }],
];

describe("[A1] without the token", () => {
  for (const [what, headers] of CREDENTIALS) {
    test(`[A1] ${what}: 403 on every path and method, known or not, and nothing happens`, async () => {
      await using rig = await startAdminRig();
      for (const [, path] of [...ROUTES, ...UNKNOWN.map((path) => ["GET", path] as const)]) {
        for (const method of ["GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"]) {
          const body = method === "POST" ? { body: '{"name":"x"}' } : {};
          const response = await fetch(`${rig.url}${path}`, { method, headers, ...body });
          expect({ path, method, status: response.status }).toEqual({ path, method, status: 403 });
          expect(await errorOf(response)).toMatchObject({ code: "admin_forbidden", message: expect.not.stringContaining("configured") });
        }
      }
      expect(await rig.ring.list()).toEqual([]);
    });
  }

  test("[A1] no token is configured: 403, and the refusal says how to have one", async () => {
    await using rig = await startAdminRig({ authorize: () => Promise.resolve(false), isTokenConfigured: false });
    const response = await rig.ask("/admin/workers");
    expect(response.status).toBe(403);
    expect((await errorOf(response)).message).toContain("--admin-token-file");
  });

  test("[A1] what the check of the credential refuses with is the answer", async () => {
    const authorize = () => Promise.reject(new RelayError("auth_rate_limited", null, 7));
    await using rig = await startAdminRig({ authorize });
    const response = await rig.ask("/admin/workers");
    expect([response.status, response.headers.get("retry-after"), (await errorOf(response)).code]).toEqual([429, "7", "auth_rate_limited"]);
  });
});

for (const [method, path, status] of ROUTES) {
  test(`[A1] with the token ${method} ${path} is open`, async () => {
    await using rig = await startAdminRig();
    const response = await rig.ask(path, { method, headers: { authorization: `bearer ${TOKEN}` } });
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/json");
  });
}

test("[A1] with the token an unknown path is 404", async () => {
  await using rig = await startAdminRig();
  for (const path of UNKNOWN) {
    const response = await rig.ask(path);
    expect({ path, status: response.status, code: (await errorOf(response)).code }).toEqual({ path, status: 404, code: "not_found" });
  }
});

test("[A2] a wrong method is 405 with the methods there are", async () => {
  await using rig = await startAdminRig();
  for (const [, path, , allow] of ROUTES) {
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      if (allow.split(", ").includes(method)) continue;
      const response = await rig.ask(path, { method });
      expect({ path, method, status: response.status, allow: response.headers.get("allow") }).toEqual({ path, method, status: 405, allow });
    }
  }
});

test("[A2] HEAD gives what GET gives, without the body", async () => {
  await using rig = await startAdminRig();
  for (const path of ["/admin/workers", "/admin/stats", "/admin/requests", "/admin/keys", "/openapi.json"]) {
    const response = await rig.ask(path, { method: "HEAD" });
    expect({ path, status: response.status, body: await response.text() }).toEqual({ path, status: 200, body: "" });
  }
});

test("[A2] no answer may be kept, taken for another type or read by a page of another origin", async () => {
  await using rig = await startAdminRig();
  const origin = { origin: "https://app.example.com" };
  const answers = [
    ...(await Promise.all(ROUTES.map(([method, path]) => rig.ask(path, { method, headers: origin })))),
    await rig.ask("/admin/workers", { method: "PUT", headers: origin }),
    await fetch(`${rig.url}/admin/workers`, { headers: origin }),
    await rig.createKey({ name: "x" }),
  ];
  for (const { headers } of answers) {
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-request-id")).toMatch(/^req_[0-9a-f]{32}$/);
    expect([...headers.keys()].filter((name) => name.startsWith("access-control-") || name === "set-cookie")).toEqual([]);
  }
});

test("[A2] a mistake of ours is 500 with a fixed sentence, and logged", async () => {
  const keys = { create: broken, list: broken, revoke: broken };
  await using rig = await startAdminRig({ keys, log: { ...console, trace: ignore, error: ignore } });
  const response = await rig.ask("/admin/keys");
  expect(response.status).toBe(500);
  expect(JSON.stringify(await errorOf(response))).not.toContain("canary");
});

async function broken(): Promise<never> {
  throw new Error("canary of an exception");
}

function ignore(): void {}
