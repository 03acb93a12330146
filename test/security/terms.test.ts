// What a key is for: scopes, models, provider, turns, rate and expiry, asked of the running relay.
import { expect, test } from "bun:test";
import { ManualClock } from "../support/manual-clock.ts";
import { RelaySocket } from "../support/relay-socket.ts";
import { until } from "../support/until.ts";
import { startV2Worker } from "../support/v2-worker.ts";
import { bearer, refusalOf, startSecured } from "./rig.ts";

const CHAT = "/v1/chat/completions";

test("[U5] a key opens what its scopes say and nothing else", async () => {
  await using secured = await startSecured();
  const { relay } = secured;
  await using worker = await startV2Worker(relay);
  for (const scopes of [["infer"], ["worker"], ["admin"], ["infer", "worker", "admin"]] as const) {
    const secret = await secured.secret({ scopes });
    const may = (scope: string): boolean => scopes.some((one) => one === scope);
    const response = relay.post(CHAT, { model: "m" }, { headers: bearer(secret) });
    if (may("infer")) (await worker.nextJob()).answer();
    if (may("infer")) expect((await response).status).toBe(200);
    else expect(await refusalOf(await response)).toEqual([403, "scope_not_allowed", null]);
    expect((await fetch(relay.at("/admin/stats"), { headers: bearer(secret) })).status).toBe(may("admin") ? 200 : 403);
    await using socket = new RelaySocket(relay, { secret });
    if (may("worker")) {
      await socket.opened;
      socket.send({ type: "register", worker_name: "x", models: ["x"], max_concurrent: 1 });
      await socket.next("register_ack");
    } else {
      expect(await socket.closedByRelay()).toEqual({ code: 1008, reason: "worker authentication failed" });
    }
  }
});

test("[U5] [H11] a key with models may use those; the others are not there for it", async () => {
  await using secured = await startSecured({ relay: { modelGraceMs: 0 } });
  const { relay } = secured;
  await using worker = await startV2Worker(relay, { models: ["llama-8b", "llama-70b", "secret-model"] });
  const headers = bearer(await secured.secret({ models: ["llama-*"] }));
  const list: { data: { id: string }[] } = JSON.parse(await (await fetch(relay.at("/v1/models"), { headers })).text());
  expect(list.data.map(({ id }) => id)).toEqual(["llama-70b", "llama-8b"]);
  const hidden = await fetch(relay.at("/v1/models/secret-model"), { headers });
  expect(await refusalOf(hidden)).toEqual([404, "model_not_found", null]);
  for (const model of ["secret-model", "Llama-8b", "xllama-8b", "nowhere"]) {
    expect(await refusalOf(await relay.post(CHAT, { model }, { headers }))).toEqual([403, "model_not_allowed", null]);
  }
  const response = relay.post(CHAT, { model: "llama-8b" }, { headers });
  (await worker.nextJob()).answer();
  expect((await response).status).toBe(200);
});

test("[U5] [Q5] the nearest names a key is told are names it may use", async () => {
  await using secured = await startSecured({ relay: { modelGraceMs: 0 } });
  const { relay } = secured;
  await using worker = await startV2Worker(relay, { models: ["llama-8b", "hidden-llama"] });
  const limited = bearer(await secured.secret({ models: ["llama-*", "hidden-l"] }));
  const near = await (await relay.post(CHAT, { model: "hidden-l" }, { headers: limited })).text();
  expect(near).not.toContain("hidden-llama");
  expect(await (await relay.post(CHAT, { model: "llama-8" }, { headers: limited })).text()).toContain("Nearest on offer: llama-8b.");
  const open = bearer(await secured.secret());
  expect(await (await relay.post(CHAT, { model: "hidden-l" }, { headers: open })).text()).toContain("hidden-llama");
  expect(worker.jobs).toEqual([]);
});

test("[U5] [H6] a request without a model is held to the key's models too", async () => {
  await using secured = await startSecured();
  const { relay } = secured;
  await using worker = await startV2Worker(relay, { models: ["only"] });
  const headers = bearer(await secured.secret({ models: ["other"] }));
  expect(await refusalOf(await relay.post(CHAT, {}, { headers }))).toEqual([403, "model_not_allowed", null]);
  expect(worker.jobs).toEqual([]);
});

test("[U5] a key for another provider opens nothing here", async () => {
  await using secured = await startSecured();
  const { relay } = secured;
  const elsewhere = await secured.secret({ scopes: ["infer", "worker"], provider: "elsewhere" });
  expect(await refusalOf(await relay.post(CHAT, { model: "m" }, { headers: bearer(elsewhere) }))).toEqual([403, "scope_not_allowed", null]);
  for (const query of ["?provider=local", "?provider=elsewhere"]) {
    await using socket = new RelaySocket(relay, { secret: elsewhere, query });
    expect((await socket.closedByRelay()).code).toBe(1008);
  }
  await using worker = await startV2Worker(relay, { secret: await secured.secret({ scopes: ["worker"], provider: "local" }) });
  expect(worker.end).toBeNull();
});

test("[U5] [L3] a worker key cuts models, slots and name down to its own, at registration and ever after", async () => {
  await using secured = await startSecured();
  const { relay } = secured;
  const secret = await secured.secret({ scopes: ["worker"], models: ["mine-*"], maxSlots: 2, workerName: "their box" });
  await using worker = await startV2Worker(relay, { secret, name: "somebody else", models: ["mine-1", "*", "yours"], slots: 64 });
  const ack = worker.of("register_ack")[0];
  expect(ack).toMatchObject({ models: ["mine-1"], max_concurrent: 2 });
  expect(ack?.["warnings"]).toHaveLength(2);
  worker.send({ type: "models_update", models: ["*", "yours", "mine-2"], unlisted_models: ["yours"], current_load: 0 });
  await until(() => relay.hub.fleet.catalogue.models().includes("mine-2"), "the update is taken");
  expect(relay.hub.fleet.catalogue.models()).toEqual(["mine-2"]);
  expect([...relay.hub.fleet.workers.values()][0]?.info).toMatchObject({ name: "their box", slots: 2, models: ["mine-2"] });
});

test("[U6] [S9] more than max_concurrent requests wait in their turn, and hold up nobody else's", async () => {
  await using secured = await startSecured();
  const { relay } = secured;
  await using worker = await startV2Worker(relay, { slots: 4 });
  const headers = bearer(await secured.secret({ maxConcurrent: 1 }));
  const mine = [1, 2, 3].map((turn) => relay.post(CHAT, { model: "m", turn }, { headers }));
  await relay.requests(3);
  const first = await worker.nextJob();
  const other = relay.post(CHAT, { model: "m", turn: "other" }, { headers: bearer(await secured.secret()) });
  const theirs = await worker.nextJob();
  expect(theirs.text).toContain("other");
  theirs.answer();
  expect((await other).status).toBe(200);
  expect(worker.jobs).toHaveLength(2);
  first.answer();
  (await worker.nextJob()).answer();
  (await worker.nextJob()).answer();
  for (const response of mine) expect((await response).status).toBe(200);
});

test("[U6] beyond requests_per_minute 429 with the time to wait; refused requests do not count, another key is not touched", async () => {
  const clock = new ManualClock();
  await using secured = await startSecured({ clock, relay: { heartbeatIntervalMs: 600_000 } });
  const { relay } = secured;
  await using worker = await startV2Worker(relay);
  const headers = { "x-api-key": await secured.secret({ requestsPerMinute: 2 }) };
  const served = async (own: Record<string, string>): Promise<number> => {
    const response = relay.post(CHAT, { model: "m" }, { headers: own });
    (await worker.nextJob()).answer();
    return (await response).status;
  };
  expect(await refusalOf(await relay.post(CHAT, {}, { headers, body: "{" }))).toEqual([400, "invalid_request", null]);
  expect([await served(headers), await served(headers)]).toEqual([200, 200]);
  const refused = [await relay.post(CHAT, { model: "m" }, { headers }), await relay.post("/v1/messages", { model: "m" }, { headers })];
  expect(await refusalOf(refused[0]!)).toEqual([429, "key_limit", "61"]);
  expect(await refusalOf(refused[1]!)).toEqual([429, "rate_limit_error", "61"]);
  expect(await served({ "x-api-key": await secured.secret() })).toBe(200);
  expect((await fetch(relay.at("/v1/models"), { headers })).status).toBe(200);
  clock.advance(120_000);
  expect(await served(headers)).toBe(200);
});

test("[U5] [Y8] from the second it expires a key opens nothing: clients, workers, operators", async () => {
  const clock = new ManualClock();
  await using secured = await startSecured({ clock });
  const { relay } = secured;
  const expiresAt = Math.floor(clock.unixMs() / 1000) + 10;
  const secret = await secured.secret({ scopes: ["infer", "worker", "admin"], expiresAt });
  const headers = bearer(secret);
  expect((await fetch(relay.at("/v1/models"), { headers })).status).toBe(200);
  expect((await fetch(relay.at("/admin/stats"), { headers })).status).toBe(200);
  clock.advance(10_000);
  expect(await refusalOf(await fetch(relay.at("/v1/models"), { headers }))).toEqual([401, "invalid_api_key", null]);
  expect((await fetch(relay.at("/admin/stats"), { headers })).status).toBe(403);
  await using socket = new RelaySocket(relay, { secret });
  expect((await socket.closedByRelay()).code).toBe(1008);
  expect(relay.log.of("worker rejected")[0]?.fields).toMatchObject({ cause: "the worker key has expired" });
});
