// Creating, listing and revoking keys over HTTP, with a real key ring behind it.
import { expect, test } from "bun:test";
import { StoreUnavailable } from "../../src/store/key-store.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { until } from "../support/until.ts";
import { errorOf, startAdminRig } from "./rig.ts";

interface KeyBody {
  readonly id: string;
  readonly name: string;
  readonly secret: string;
  readonly revoked: boolean;
  readonly revoked_at: number | null;
}

const PLAIN = {
  scopes: ["infer"],
  models: null,
  provider: null,
  worker_name: null,
  max_slots: null,
  max_concurrent: null,
  requests_per_minute: null,
  expires_at: null,
  last_used_at: null,
  revoked: false,
  revoked_at: null,
};

test("[A6] a key is made with 201 and its secret, which works; the list has it without the secret", async () => {
  await using rig = await startAdminRig();
  const response = await rig.createKey({ name: "my-app" });
  expect(response.status).toBe(201);
  const created: KeyBody = JSON.parse(await response.text());
  const { secret, ...facts } = created;
  const key: Readonly<Record<string, unknown>> = { ...facts };
  const now = Math.floor(Date.now() / 1000);
  expect(key).toEqual({
    ...PLAIN,
    name: "my-app",
    id: expect.any(String),
    prefix: secret.slice(0, 10),
    created_at: expect.any(Number),
  });
  expect(Math.abs(Number(key["created_at"]) - now)).toBeLessThan(5);
  expect(await rig.ring.authenticate(secret)).toMatchObject({ kind: "key", key: { id: facts.id, name: "my-app" } });

  const list = await (await rig.ask("/admin/keys")).text();
  expect(list).not.toContain(secret);
  expect(JSON.parse(list)).toEqual({ keys: [{ ...key, last_used_at: expect.any(Number) }] });
});

test("[A6] everything that can be said of a key is kept as it was said", async () => {
  await using rig = await startAdminRig();
  const expires_at = Math.floor(Date.now() / 1000) + 86_400;
  const infer = {
    name: "app",
    scopes: ["infer", "admin"],
    models: ["llama*", "qwen3.5:4b"],
    max_concurrent: 8,
    requests_per_minute: 60,
    expires_at,
  };
  const worker = { name: "box", scopes: ["worker"], models: ["*"], provider: "local", worker_name: "gpu-box-4", max_slots: 4 };
  for (const body of [infer, worker]) {
    expect(await rig.json("/admin/keys", { method: "POST", body: JSON.stringify(body) }, 201)).toMatchObject(body);
  }
  expect(await rig.json("/admin/keys")).toMatchObject({ keys: [infer, worker] });
});

test("[A6] names are data: markup, quotes, other scripts and other objects' field names come back as they went in", async () => {
  await using rig = await startAdminRig();
  const names = [
    "<script>alert(1)</script>",
    `"><img src=x onerror=alert('1')>`,
    "'; DROP TABLE api_keys; --",
    "${7*7} {{7*7}} %s %00 \\u0000",
    "Ключ 🗝️ מפתח 鍵",
    "\u202Eevil\u2028line",
    "__proto__",
    "constructor",
    "x".repeat(128),
  ];
  for (const name of names)
    expect(await rig.json("/admin/keys", { method: "POST", body: JSON.stringify({ name }) }, 201)).toMatchObject({ name });
  const list = await rig.ask("/admin/keys");
  expect(list.headers.get("content-type")).toBe("application/json");
  expect(JSON.parse(await list.text())).toMatchObject({ keys: names.map((name) => ({ name })) });
});

const ALLOWED_NAME = "Field 'name' must be a text of 1 to 128 characters on one line.";

test.each<[string, unknown, string]>([
  ["no name", {}, ALLOWED_NAME],
  ["an empty name", { name: "" }, ALLOWED_NAME],
  ["a name of blanks", { name: "  " }, ALLOWED_NAME],
  ["a name of another type", { name: 7 }, ALLOWED_NAME],
  ["a name with a line break", { name: "a\nb" }, ALLOWED_NAME],
  ["a name with half a character", { name: "a\ud800" }, ALLOWED_NAME],
  ["a long name", { name: "x".repeat(129) }, ALLOWED_NAME],
  ["no scope", { name: "x", scopes: [] }, "Field 'scopes' must be a list of one or more of infer, worker, admin."],
  ["an unknown scope", { name: "x", scopes: ["infer", "root"] }, "Field 'scopes' must be a list of one or more of infer, worker, admin."],
  ["a scope that is no list", { name: "x", scopes: "infer" }, "Field 'scopes' must be a list of one or more of infer, worker, admin."],
  ["no model", { name: "x", models: [] }, "Field 'models' must be a list of 1 to 256 "],
  ["a long model", { name: "x", models: ["m".repeat(257)] }, "Field 'models' must be a list of 1 to 256 "],
  ["too many models", { name: "x", models: Array.from({ length: 257 }, () => "m") }, "Field 'models' must be a list of 1 to 256 "],
  ["no slots", { name: "x", scopes: ["worker"], max_slots: 0 }, "Field 'max_slots' must be a whole number from 1 to 4096, or null "],
  ["half a request", { name: "x", max_concurrent: 1.5 }, "Field 'max_concurrent' must be a whole number from 1 to 1000000, or null "],
  [
    "a number as text",
    { name: "x", requests_per_minute: "60" },
    "Field 'requests_per_minute' must be a whole number from 1 to 1000000, or null ",
  ],
  [
    "a time that is over",
    { name: "x", expires_at: 1_700_000_000 },
    "Field 'expires_at' must be a time in the future in whole Unix seconds",
  ],
  [
    "a time in milliseconds",
    { name: "x", expires_at: Date.now() * 1000 },
    "Field 'expires_at' must be a time in the future in whole Unix seconds",
  ],
  ["a field nobody knows", { name: "x", expires: 1 }, "There is no field 'expires'. Did you mean 'expires_at'?"],
  [
    "another object's field",
    JSON.parse('{"name":"x","__proto__":{"scopes":["admin"]}}'),
    "There is no field '__proto__'. The fields are name, ",
  ],
  ["slots of no worker", { name: "x", max_slots: 4 }, "Field 'max_slots' needs the scope worker."],
  ["a worker's name of no worker", { name: "x", worker_name: "box" }, "Field 'worker_name' needs the scope worker."],
  ["a limit of no client", { name: "x", scopes: ["worker"], requests_per_minute: 5 }, "Field 'requests_per_minute' needs the scope infer."],
  ["models of an operator", { name: "x", scopes: ["admin"], models: ["m"] }, "Field 'models' needs the scope infer or worker."],
  ["a list", [], "The body must be one JSON object."],
  ["nothing", null, "The body must be one JSON object."],
  ["a text", "name", "The body must be one JSON object."],
])("[A7] %s is refused with 400, the field and what it may be; nothing is stored", async (_what, body, message) => {
  await using rig = await startAdminRig();
  const response = await rig.createKey(body);
  expect(response.status).toBe(400);
  const error = await errorOf(response);
  expect(error.code).toBe("invalid_request");
  expect(error.message).toContain(message);
  expect(await rig.ring.list()).toEqual([]);
});

test.each<[string, RequestInit, number, string]>([
  ["no JSON", { body: "name=x" }, 400, "invalid_request"],
  ["no body", {}, 400, "invalid_request"],
  ["no UTF-8", { body: new Uint8Array([0x22, 0xff, 0x22]) }, 400, "invalid_request"],
  ["brackets without end", { body: "[".repeat(60_000) }, 400, "invalid_request"],
  ["a long field", { body: JSON.stringify({ name: "x", ["y".repeat(10_000)]: 1 }) }, 400, "invalid_request"],
  ["compressed", { body: Bun.gzipSync('{"name":"x"}'), headers: { "content-encoding": "gzip" } }, 415, "unsupported_encoding"],
  ["announced as too large", { body: `{"name":"x"}${" ".repeat(64 * 1024)}` }, 413, "body_too_large"],
  ["too large and unannounced", { body: chunks(`{"name":"x"}${" ".repeat(64 * 1024)}`) }, 413, "body_too_large"],
])("[A7] a body that is %s is refused", async (_what, init, status, code) => {
  await using rig = await startAdminRig();
  const response = await rig.ask("/admin/keys", { method: "POST", ...init });
  const error = await errorOf(response);
  expect([response.status, error.code]).toEqual([status, code]);
  expect(error.message.length).toBeLessThan(400);
  expect(await rig.ring.list()).toEqual([]);
});

test("[A7] the content type does not matter, and a body in pieces is one body", async () => {
  await using rig = await startAdminRig();
  const form = { "content-type": "application/x-www-form-urlencoded" };
  expect((await rig.ask("/admin/keys", { method: "POST", body: '{"name":"curl -d"}', headers: form })).status).toBe(201);
  expect((await rig.ask("/admin/keys", { method: "POST", body: chunks('{"name":"pieces"}') })).status).toBe(201);
});

test("[A7] a body that does not come within 10 s is refused with body_timeout", async () => {
  const clock = new ManualClock();
  await using rig = await startAdminRig({ clock });
  const { promise: end, resolve: finish } = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      controller.enqueue(new TextEncoder().encode('{"name":'));
      await end;
      controller.close();
    },
  });
  const asked = rig.ask("/admin/keys", { method: "POST", body });
  await until(() => clock.pending === 1, "the body is waited for");
  clock.advance(9_999);
  expect(clock.pending).toBe(1);
  clock.advance(1);
  const response = await asked;
  expect([response.status, (await errorOf(response)).code]).toEqual([408, "body_timeout"]);
  finish();
});

test("[A8] revoking is 204 and ends the key; again it is 204 and changes nothing, an unknown key is 404", async () => {
  await using rig = await startAdminRig();
  const created: KeyBody = JSON.parse(await (await rig.createKey({ name: "gone" })).text());
  const revoke = (id: string) => rig.ask(`/admin/keys/${id}`, { method: "DELETE" });
  const first = await revoke(created.id);
  expect([first.status, await first.text()]).toEqual([204, ""]);
  expect(await rig.ring.authenticate(created.secret)).toEqual({ kind: "revoked" });
  const once = await rig.json("/admin/keys");
  expect(once).toMatchObject({ keys: [{ id: created.id, revoked: true, revoked_at: expect.any(Number) }] });
  expect((await revoke(created.id)).status).toBe(204);
  expect(await rig.json("/admin/keys")).toEqual(once);
  for (const id of [crypto.randomUUID(), "x", "%27%20OR%201%3D1", "a".repeat(5_000)]) {
    const response = await revoke(id);
    expect([response.status, (await errorOf(response)).code]).toEqual([404, "not_found"]);
  }
});

test("[A9] a store that cannot is 503 with its reason; of a revocation it says that it holds all the same", async () => {
  const full = () => Promise.reject(new StoreUnavailable("The disk that holds the key database is full.", new Error("canary")));
  await using rig = await startAdminRig({ keys: { create: full, list: full, revoke: full } });
  const answers = [await rig.createKey({ name: "x" }), await rig.ask("/admin/keys"), await rig.ask("/admin/keys/1", { method: "DELETE" })];
  const errors = await Promise.all(answers.map(errorOf));
  for (const [index, response] of answers.entries()) {
    expect([response.status, response.headers.get("retry-after"), errors[index]!.code]).toEqual([503, "5", "store_unavailable"]);
    expect(errors[index]!.message).toContain("The disk that holds the key database is full.");
    expect(errors[index]!.message).not.toContain("canary");
  }
  expect(errors[2]!.message).toContain("does not work here any more");
});

test("[A9] a relay that keeps no keys says so with 503", async () => {
  await using rig = await startAdminRig({ keys: null });
  for (const response of [await rig.createKey({ name: "x" }), await rig.ask("/admin/keys")]) {
    expect([response.status, (await errorOf(response)).code]).toEqual([503, "store_unavailable"]);
  }
});

test("[A6] keys made, listed and revoked at the same time: none is lost, doubled or mixed up", async () => {
  await using rig = await startAdminRig();
  const made = await Promise.all(
    Array.from({ length: 60 }, async (_, index): Promise<KeyBody> => {
      const response = await rig.createKey({ name: `key ${index}` });
      await rig.json("/admin/keys");
      return JSON.parse(await response.text());
    }),
  );
  expect(new Set(made.flatMap(({ id, secret }) => [id, secret])).size).toBe(120);
  const gone = made.filter((_, index) => index % 2 === 0);
  const statuses = await Promise.all(
    [...gone, ...gone].map(async ({ id }) => (await rig.ask(`/admin/keys/${id}`, { method: "DELETE" })).status),
  );
  expect(new Set(statuses)).toEqual(new Set([204]));
  const listed = new Map((await rig.ring.list()).map((key) => [key.id, key]));
  expect(listed.size).toBe(60);
  for (const [index, { id, name, secret }] of made.entries()) {
    expect(listed.get(id)!.name).toBe(name);
    expect((await rig.ring.authenticate(secret)).kind).toBe(index % 2 === 0 ? "revoked" : "key");
  }
});

/** Sent in chunks, without a length. */
function chunks(text: string): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.byteLength; at += 1_000) controller.enqueue(bytes.subarray(at, at + 1_000));
      controller.close();
    },
  });
}
