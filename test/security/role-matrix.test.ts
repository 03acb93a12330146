// Every route of the relay with every kind of credential, as one table: what is not in it, or answers otherwise, fails.
import { expect, test } from "bun:test";
import { type AdminWorld, createAdminApp } from "../../src/admin/app.ts";
import { OPERATIONS } from "../../src/admin/openapi.ts";
import { createEdgeApp, type EdgeWorld } from "../../src/edge/app.ts";
import { digestOf } from "../../src/store/api-key.ts";
import { FakeStore } from "../store/fake-store.ts";
import { makeKey } from "../store/kinds.ts";
import * as answers from "../support/fake-backend-answers.ts";
import { startFakeBackend } from "../support/fake-backend.ts";
import { RelaySocket } from "../support/relay-socket.ts";
import { startTestWorker } from "../support/running-worker.ts";
import { until } from "../support/until.ts";
import { ADMIN_TOKEN, bearer, type SecuredRelay, startSecured } from "./rig.ts";

// The columns: nothing sent; "Bearer" without a token; a wrong key; keys of one scope each; a revoked and an expired key for
// everything; the admin token; the worker secret; a key of an earlier installation; two keys that differ; HTTP Basic.
const KEYS_REQUIRED = `
route                             none empty wrong infer worker admin revoked expired token secret legacy both basic
GET /                             200  200   200   200   200    200   200     200     200   200    200    200  200
GET /health                       200  200   200   200   200    200   200     200     200   200    200    200  200
GET /livez                        200  200   200   200   200    200   200     200     200   200    200    200  200
GET /readyz                       200  200   200   200   200    200   200     200     200   200    200    200  200
GET /openapi.json                 200  200   200   200   200    200   200     200     200   200    200    200  200
GET /nothing                      404  404   404   404   404    404   404     404     404   404    404    404  404
GET /v1/worker/connect            426  426   426   426   426    426   426     426     426   426    426    426  426
POST /v1/chat/completions         401  401   401   200   403    403   401     401     401   401    200    400  401
POST /v1/responses                401  401   401   200   403    403   401     401     401   401    200    400  401
POST /v1/messages                 401  401   401   200   403    403   401     401     401   401    200    400  401
POST /v1/completions              401  401   401   200   403    403   401     401     401   401    200    400  401
POST /v1/embeddings               401  401   401   200   403    403   401     401     401   401    200    400  401
POST /v1/messages/count_tokens    401  401   401   200   403    403   401     401     401   401    200    400  401
POST /v1/rerank                   401  401   401   200   403    403   401     401     401   401    200    400  401
GET /v1/models                    401  401   401   200   403    403   401     401     401   401    200    400  401
GET /v1/models/{id}               401  401   401   200   403    403   401     401     401   401    200    400  401
GET /v1/chat/completions          405  405   405   405   405    405   405     405     405   405    405    405  405
GET /admin/workers                403  403   403   403   403    200   403     403     200   403    403    400  403
GET /admin/stats                  403  403   403   403   403    200   403     403     200   403    403    400  403
GET /admin/requests               403  403   403   403   403    200   403     403     200   403    403    400  403
GET /admin/keys                   403  403   403   403   403    200   403     403     200   403    403    400  403
POST /admin/keys                  403  403   403   403   403    201   403     403     201   403    403    400  403
DELETE /admin/keys/{id}           403  403   403   403   403    404   403     403     404   403    403    400  403
POST /admin/workers/{id}/drain    403  403   403   403   403    404   403     403     404   403    403    400  403
POST /admin/workers/{id}/resume   403  403   403   403   403    404   403     403     404   403    403    400  403
POST /admin/workers/{id}/refresh  403  403   403   403   403    404   403     403     404   403    403    400  403
POST /admin/requests/{id}/cancel  403  403   403   403   403    404   403     403     404   403    403    400  403
GET /admin/nothing                403  403   403   403   403    404   403     403     404   403    403    400  403
PUT /admin/keys                   403  403   403   403   403    405   403     403     405   403    403    400  403
`;

// Without keys required the client routes are open, but a key that is sent is held to what it is.
const KEYS_NOT_REQUIRED = KEYS_REQUIRED.replaceAll(
  /^((?:GET|POST) \/v1\/\S+ +)401  401   401   200   403    403   401     401     401   401    200    400  401$/gm,
  "$1200  200   200   200   403    403   401     401     200   200    200    400  200",
);

/** What is there besides the table of routes: the worker path, and what stands for whatever is not there. */
const BESIDES_THE_ROUTES = ["GET /v1/worker/connect", "GET /nothing", "GET /v1/chat/completions", "GET /admin/nothing", "PUT /admin/keys"];

type Credential = Readonly<Record<string, string>>;

async function credentialsOf(secured: SecuredRelay, legacy: string): Promise<ReadonlyMap<string, Credential>> {
  const all = { scopes: ["infer", "worker", "admin"] } as const;
  const [infer, other, revoked] = [await secured.secret(), await secured.secret(), await secured.made(all)];
  await secured.ring.revoke(revoked.key.id);
  return new Map<string, Credential>([
    ["none", {}],
    ["empty", { authorization: "Bearer " }],
    ["wrong", bearer(makeKey().secret)],
    ["infer", { "x-api-key": infer }],
    ["worker", bearer(await secured.secret({ scopes: ["worker"] }))],
    ["admin", bearer(await secured.secret({ scopes: ["admin"] }))],
    ["revoked", bearer(revoked.secret)],
    ["expired", bearer(await secured.secret({ ...all, expiresAt: 1 }))],
    ["token", bearer(ADMIN_TOKEN)],
    ["secret", bearer("test-secret")],
    ["legacy", bearer(legacy)],
    ["both", { ...bearer(infer), "x-api-key": other }],
    ["basic", { authorization: `Basic ${btoa(`user:${infer}`)}` }],
  ]);
}

function storeWithLegacyKey(secret: string): FakeStore {
  const store = new FakeStore();
  const { key } = makeKey();
  store.change(key.id, { key: { ...key, prefix: secret.slice(0, 10) }, digest: digestOf(secret) });
  return store;
}

const BODIES: Readonly<Record<string, string>> = { "POST /admin/keys": '{"name":"made"}' };

/** A stranger each time, so that wrong credentials do not add up. */
let lastClient = 0;

async function statusOf({ relay }: SecuredRelay, route: string, credential: Credential): Promise<string> {
  const [method = "", path = ""] = route.split(" ");
  const id = path.startsWith("/v1/") ? "m" : crypto.randomUUID();
  const client = `203.0.${++lastClient >> 8}.${lastClient & 255}`;
  const response = await fetch(relay.at(path.replace("{id}", id)), {
    method,
    headers: { ...credential, "x-forwarded-for": client },
    ...(method === "POST" ? { body: BODIES[route] ?? '{"model":"m"}' } : {}),
  });
  await response.arrayBuffer();
  return String(response.status);
}

for (const [what, table, requireApiKeys] of [
  ["keys required", KEYS_REQUIRED, true],
  ["keys not required", KEYS_NOT_REQUIRED, false],
] as const) {
  test(`[U2] each route with each credential, ${what}`, async () => {
    const legacy = `mr_live_${"a1B2".repeat(8)}`;
    const settings = { requireApiKeys, trustedProxies: ["127.0.0.1"] };
    await using secured = await startSecured({ store: storeWithLegacyKey(legacy), relay: settings });
    await using backend = startFakeBackend(answers.politely(["m"]));
    await using worker = startTestWorker({ relay: secured.relay, backend: { url: new URL(backend.url) } });
    await secured.relay.workers(1);
    const credentials = await credentialsOf(secured, legacy);
    const actual: string[] = [];
    const [head = "", ...rows] = table.trim().split("\n");
    expect(head.trim().split(/ +/)).toEqual(["route", ...credentials.keys()]);
    for (const row of rows) {
      const route = row.slice(0, 34).trim();
      const statuses: string[] = [];
      for (const credential of credentials.values()) statuses.push(await statusOf(secured, route, credential));
      const cells = [...credentials.keys()].map((name, index) => statuses[index]!.padEnd(Math.max(name.length, 4) + 1));
      actual.push(`${route.padEnd(34)}${cells.join("").trimEnd()}`);
    }
    expect(actual.join("\n")).toBe(rows.join("\n"));
    expect(worker.status().connection).toBe("registered");
  });
}

test("[U2] the table has every route there is: those of the program and those of its document", () => {
  const rows = KEYS_REQUIRED.trim()
    .split("\n")
    .slice(1)
    .map((row) => row.slice(0, 34).trim());
  const routes = [...new Set([...routesOfTheRelay(), ...OPERATIONS.map(({ method, path }) => `${method.toUpperCase()} ${path}`)])];
  expect(rows.filter((row) => !BESIDES_THE_ROUTES.includes(row)).sort()).toEqual(
    routes.filter((route) => !BESIDES_THE_ROUTES.includes(route)).sort(),
  );
});

const SOCKETS = `
sent as            none empty wrong infer worker admin revoked expired token secret legacy
x-worker-secret    no   no    no    no    yes    no    no      no      no    yes    no
?worker_secret=    no   no    no    no    yes    no    no      no      no    yes    no
authorization      no   no    no    no    no     no    no      no      no    no     no
x-api-key          no   no    no    no    no     no    no      no      no    no     no
`;

test("[U2] [L1] the worker socket with each credential, each way it could be sent, whether clients need keys or not", async () => {
  for (const requireApiKeys of [true, false]) {
    const legacy = `mr_live_${"a1B2".repeat(8)}`;
    const settings = { requireApiKeys, trustedProxies: ["127.0.0.1"] };
    await using secured = await startSecured({ store: storeWithLegacyKey(legacy), relay: settings });
    const credentials = [...(await credentialsOf(secured, legacy))].slice(0, 11);
    const [, ...rows] = SOCKETS.trim().split("\n");
    const actual: string[] = [];
    for (const row of rows) {
      const way = row.slice(0, 19).trim();
      const cells: string[] = [];
      for (const [name, headers] of credentials) {
        const bare = (headers["authorization"] ?? headers["x-api-key"] ?? "").replace("Bearer ", "").trim();
        cells.push((await isWorker(secured, way, bare)).padEnd(Math.max(name.length, 4) + 1));
      }
      actual.push(`${way.padEnd(19)}${cells.join("").trimEnd()}`);
    }
    expect(actual.join("\n")).toBe(rows.join("\n"));
  }
});

async function isWorker({ relay }: SecuredRelay, way: string, credential: string): Promise<string> {
  const query = way.startsWith("?") ? `${way}${credential}` : "?provider=local";
  const client = { "x-forwarded-for": `203.1.${++lastClient >> 8}.${lastClient & 255}` };
  const sent = way.startsWith("?") || credential === "" ? {} : { [way]: way === "authorization" ? `Bearer ${credential}` : credential };
  await using socket = new RelaySocket(relay, { secret: null, query, headers: { ...client, ...sent } });
  await socket.opened;
  socket.send({ type: "register", worker_name: "x", models: ["x"], max_concurrent: 1 });
  await until(() => socket.of("register_ack").length > 0 || socket.end !== null, "the relay's verdict");
  return socket.end === null ? "yes" : "no";
}

function routesOfTheRelay(): readonly string[] {
  const clock = { nowMs: () => 0, unixMs: () => 0, startTimer: () => ({ stop: () => {} }) };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only the table of routes is looked at, nothing is asked
  const admin = createAdminApp({ clock } as unknown as AdminWorld);
  const mountAdmin: EdgeWorld["mountAdmin"] = (app) => void app.route("/", admin);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as above
  const { routes } = createEdgeApp({ clock, mountAdmin } as unknown as EdgeWorld);
  return routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path.replace("/v1/models/*", "/v1/models/{id}").replaceAll(/:(\w+)/g, "{$1}")}`);
}
