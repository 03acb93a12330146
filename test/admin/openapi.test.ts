// The OpenAPI document against the program: its routes, its schemas, its examples, and what the relay really answers.
import { expect, test } from "bun:test";
import * as v from "valibot";
import { type AdminWorld, createAdminApp } from "../../src/admin/app.ts";
import { AnthropicErrorBody, ErrorBody } from "../../src/admin/client-schema.ts";
import { openApiDocument, OPERATIONS, SCHEMAS } from "../../src/admin/openapi.ts";
import { REFUSALS } from "../../src/base/errors.ts";
import { createEdgeApp, type EdgeWorld } from "../../src/edge/app.ts";
import { startV2Worker } from "../support/v2-worker.ts";
import { type AdminRig, startAdminRig, TOKEN } from "./rig.ts";

interface DocumentShape {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationShape>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, unknown>>>>>>;
}

interface OperationShape {
  readonly operationId: string;
  readonly security: readonly object[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly responses: Readonly<Record<string, { readonly description: string }>>;
}

const text = JSON.stringify(openApiDocument());
const document: DocumentShape = JSON.parse(text);
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

/** Answered before the table of routes is looked at: it is a WebSocket. */
const CONNECT = "GET /v1/worker/connect";

test("[A11] every route of the relay is in the document, and no other", () => {
  const routes = routesOfTheRelay().map(
    ({ method, path }) => `${method} ${path.replace("/v1/models/*", "/v1/models/{id}").replaceAll(/:(\w+)/g, "{$1}")}`,
  );
  const documented = operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
  expect(documented.filter((route) => route !== CONNECT).sort()).toEqual([...new Set(routes)].sort());
  expect(documented).toContain(CONNECT);
});

test("[A11] every reference leads somewhere, and everything it could lead to is used", () => {
  const references = new Set([...text.matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1]!));
  for (const reference of references) expect([reference, typeof lookUp(reference)]).toEqual([reference, "object"]);
  const { schemas, examples, headers } = document.components;
  const there = Object.entries({ schemas, examples, headers }).flatMap(([kind, entries]) =>
    Object.keys(entries ?? {}).map((name) => `#/components/${kind}/${name}`),
  );
  expect(there.filter((name) => !references.has(name))).toEqual([]);
  const schemes = new Set(operations.flatMap(({ operation }) => operation.security.flatMap((needs) => Object.keys(needs))));
  expect([...schemes].sort()).toEqual(Object.keys(document.components["securitySchemes"] ?? {}).sort());
});

test("[A11] every example is what its schema says, and holds no field that is not described", () => {
  let checked = 0;
  for (const { body, answers } of OPERATIONS) {
    for (const { schema, example } of [...(body === undefined ? [] : [body]), ...answers.flatMap(({ contents }) => contents ?? [])]) {
      if (schema === null || example === undefined) continue;
      expectDescribed(schema, example, body?.schema === schema);
      checked++;
    }
  }
  expect(checked).toBeGreaterThan(20);
  for (const [name, example] of Object.entries(document.components["examples"] ?? {})) {
    expectDescribed(name.endsWith("_anthropic") ? AnthropicErrorBody : ErrorBody, example["value"]);
  }
});

test("[A11] what is required of a new key, and what more it may have, is the schema's own", () => {
  expect(document.components["schemas"]!["NewKey"]!).toMatchObject({
    required: ["name"],
    additionalProperties: false,
    properties: {
      name: { type: "string", minLength: 1, maxLength: 128 },
      scopes: { type: "array", items: { enum: ["infer", "worker", "admin"] }, default: ["infer"] },
      max_slots: { anyOf: [{ type: "integer", minimum: 1, maximum: 4096 }, { type: "null" }], default: null },
    },
  });
});

test("[A11] every error code is in the document, but for those no route answers with", () => {
  const described = new Set(OPERATIONS.flatMap(({ refusals }) => refusals));
  const missing = Object.keys(REFUSALS).filter((code) => !(described as ReadonlySet<string>).has(code));
  // The one ends a stream that has begun; the other is for methods that are not in the document.
  expect(missing.sort()).toEqual(["client_stalled", "method_not_allowed"]);
});

test("[A11] operations have ids of their own, placeholders that are described, and say who may call them", () => {
  const ids = operations.map(({ operation }) => operation.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { path, operation } of operations) {
    const placeholders = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
    const described = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
    expect(described.map(({ name, required }) => [name, required])).toEqual(placeholders.map((name) => [name, true]));
    for (const [status, { description }] of Object.entries(operation.responses)) {
      expect(status).toMatch(/^[1-5]\d\d$/);
      expect(description).not.toBe("");
    }
    const isOperators = path.startsWith("/admin/");
    expect([path, JSON.stringify(operation.security).includes("adminToken")]).toEqual([path, isOperators]);
    expect([path, "403" in operation.responses]).toEqual([path, true]);
  }
});

test("[A11] it is served without a credential, as it is made, and holds no secret", async () => {
  await using rig = await startAdminRig();
  const response = await fetch(`${rig.url}/openapi.json`);
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json"]);
  const served = await response.text();
  expect(JSON.parse(served)).toEqual(JSON.parse(text));
  expect(served).not.toContain(TOKEN);
  expect(document.openapi).toBe("3.1.0");
});

test("[A11] what the operators' routes answer is described to the last field", async () => {
  await using rig = await startAdminRig();
  await using worker = await startV2Worker(rig.relay, { models: ["m"], slots: 1 });
  const running = rig.relay.post("/v1/chat/completions", { model: "m" });
  const job = await worker.nextJob();
  const waiting = rig.relay.post("/v1/chat/completions", { model: "m" });
  await rig.relay.requests(2);
  await rig.createKey({ name: "x" });
  const [workerId] = [...rig.relay.hub.fleet.workers.keys()];
  const [requestId] = [...rig.relay.hub.requests.keys()].toReversed();
  const ids = new Map([
    ["drainWorker", workerId],
    ["resumeWorker", workerId],
    ["refreshWorker", workerId],
    ["cancelRequest", requestId],
  ]);
  for (const { id, method, path, body, answers, access } of OPERATIONS) {
    if (access !== "operator" || id === "revokeKey") continue;
    const init = { method: method.toUpperCase(), ...(body === undefined ? {} : { body: JSON.stringify(body.example) }) };
    const { status, contents } = answers[0]!;
    expectDescribed(contents![0]!.schema!, await rig.json(path.replace("{id}", ids.get(id) ?? ""), init, status));
  }
  job.answer("{}");
  await Promise.all([running, waiting]);
});

test("[A11] what the public routes answer is described to the last field", async () => {
  await using rig = await startAdminRig();
  await using worker = await startV2Worker(rig.relay, { models: ["m", "a/b:1"] });
  for (const { method, path, answers, access } of OPERATIONS) {
    if (method !== "get" || access === "operator" || access === "worker") continue;
    for (const headers of [{}, { "anthropic-version": "2023-06-01" }]) {
      expectDescribed(answers[0]!.contents![0]!.schema!, await ask(rig, path.replace("{id}", "a/b:1"), headers, 200));
    }
  }
  expectDescribed(ErrorBody, await ask(rig, "/v1/models/nothing", {}, 404));
  expectDescribed(AnthropicErrorBody, await ask(rig, "/v1/models/nothing", { "anthropic-version": "2023-06-01" }, 404));
  void worker;
});

test("[A11] every schema of the document is one the program has a name for", () => {
  expect(Object.keys(document.components["schemas"] ?? {}).sort()).toEqual(Object.keys(SCHEMAS).sort());
});

async function ask(rig: AdminRig, path: string, headers: Readonly<Record<string, string>>, status: number): Promise<unknown> {
  const response = await fetch(path === "/openapi.json" ? `${rig.url}${path}` : rig.relay.at(path), { headers });
  expect([path, response.status]).toEqual([path, status]);
  return await response.json();
}

/** Parsing drops the fields a schema does not have: what differs then was not described. Of what is sent, fields may be left out. */
function expectDescribed(schema: v.GenericSchema, value: unknown, isSent = false): void {
  const parsed: unknown = v.parse(schema, value);
  if (isSent && typeof value === "object" && value !== null) expect(parsed).toMatchObject(value);
  else expect(parsed).toEqual(value);
}

function lookUp(reference: string): unknown {
  const steps = reference.replace(/^#\//, "").split("/");
  return steps.reduce<unknown>((at, step) => (typeof at === "object" && at !== null ? Reflect.get(at, step) : undefined), document);
}

/** Both apps as the server mounts them; nothing of what they would need to answer is there. */
function routesOfTheRelay(): readonly { readonly method: string; readonly path: string }[] {
  const clock = { nowMs: () => 0, unixMs: () => 0, startTimer: () => ({ stop: () => {} }) };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only the table of routes is looked at, nothing is asked
  const admin = createAdminApp({ clock } as unknown as AdminWorld);
  const mountAdmin: EdgeWorld["mountAdmin"] = (app) => void app.route("/", admin);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as above
  const { routes } = createEdgeApp({ clock, mountAdmin } as unknown as EdgeWorld);
  expect(routes.length).toBeGreaterThan(OPERATIONS.length);
  return routes.filter(({ method }) => method !== "ALL");
}
