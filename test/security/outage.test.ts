// The key store is gone, or its disk is full: who still gets in, who is told to come back, and what a revocation is worth.
import { expect, test } from "bun:test";
import { makeKey } from "../store/kinds.ts";
import { RelaySocket } from "../support/relay-socket.ts";
import { startV2Worker } from "../support/v2-worker.ts";
import { ADMIN_TOKEN, bearer, refusalOf, startSecured } from "./rig.ts";

const CHAT = "/v1/chat/completions";

test("[U8] [Y5] without the store known keys work, unknown ones get 503 and never in; when it is back so are they", async () => {
  await using secured = await startSecured();
  const { relay, store } = secured;
  await using worker = await startV2Worker(relay);
  const known = await secured.secret();
  const elsewhere = makeKey();
  store.change(elsewhere.key.id, elsewhere);
  for (const question of ["findByDigest", "list", "version", "insert", "revoke", "touch"] as const) store.failing.add(question);

  const served = relay.post(CHAT, { model: "m" }, { headers: bearer(known) });
  (await worker.nextJob()).answer();
  expect((await served).status).toBe(200);
  for (const headers of [bearer(elsewhere.secret), { "x-api-key": makeKey().secret }]) {
    expect(await refusalOf(await relay.post(CHAT, { model: "m" }, { headers }))).toEqual([503, "store_unavailable", "5"]);
    expect((await refusalOf(await relay.post("/v1/messages", { model: "m" }, { headers })))[0]).toBe(503);
  }
  // What cannot be a key is wrong whether there is a store or not.
  expect(await refusalOf(await relay.post(CHAT, {}, { headers: bearer("sk-1") }))).toEqual([401, "invalid_api_key", null]);
  expect((await fetch(relay.at("/admin/stats"), { headers: bearer(elsewhere.secret) })).status).toBe(503);
  expect((await fetch(relay.at("/admin/stats"), { headers: bearer(ADMIN_TOKEN) })).status).toBe(200);
  await using stranger = new RelaySocket(relay, { secret: makeKey().secret });
  expect((await stranger.closedByRelay()).code).toBe(1008);
  await using second = await startV2Worker(relay, { models: ["second"] });
  expect(second.end).toBeNull();

  store.failing.clear();
  expect((await fetch(relay.at("/v1/models"), { headers: bearer(elsewhere.secret) })).status).toBe(200);
});

test("[U8] [Y5] where no key is needed, one that may be revoked is still not taken for nobody", async () => {
  await using secured = await startSecured({ relay: { requireApiKeys: false } });
  const { relay, store } = secured;
  store.failing.add("findByDigest");
  const asked = async (credential: string): Promise<number> =>
    (await fetch(relay.at("/v1/models"), { headers: bearer(credential) })).status;
  expect(await asked(makeKey().secret)).toBe(503);
  expect(await asked("sk-somebody-elses")).toBe(200);
  const { key, secret } = await secured.made();
  store.failing.add("revoke");
  await secured.operator("DELETE", `/admin/keys/${key.id}`);
  expect(await asked(secret)).toBe(401);
  store.failing.clear();
});

test("[U8] [Y6] with a full disk inference goes on, admin writes are 503 with the reason, and a revocation holds at once", async () => {
  await using secured = await startSecured();
  const { relay, store } = secured;
  await using worker = await startV2Worker(relay);
  const { key, secret } = await secured.made();
  const kept = await secured.secret();
  const running = relay.post(CHAT, { model: "m", stream: true }, { headers: bearer(secret) });
  const job = await worker.nextJob();
  job.startStream();
  job.data("data: 1\n\n");
  const stream = await running;
  for (const question of ["insert", "revoke", "touch"] as const) store.failing.add(question);

  const created = await secured.operator("POST", "/admin/keys", { name: "late" });
  expect(await created.json()).toMatchObject({
    error: { code: "store_unavailable", message: expect.stringContaining("The test says so.") },
  });
  expect(created.status).toBe(503);
  const revoked = await secured.operator("DELETE", `/admin/keys/${key.id}`);
  expect(await revoked.json()).toMatchObject({ error: { message: expect.stringContaining("does not work here any more") } });
  expect(revoked.status).toBe(503);
  expect(await refusalOf(await relay.post(CHAT, { model: "m" }, { headers: bearer(secret) }))).toEqual([401, "invalid_api_key", null]);
  const ended = await stream.text().catch((error: unknown) => String(error));
  expect(ended).not.toBe("data: 1\n\n");
  const served = relay.post(CHAT, { model: "m" }, { headers: bearer(kept) });
  (await worker.nextJob()).answer();
  expect((await served).status).toBe(200);
  const list: { keys: { id: string; revoked: boolean }[] } = JSON.parse(await (await secured.operator("GET", "/admin/keys")).text());
  expect(list.keys.find(({ id }) => id === key.id)?.revoked).toBe(true);
  store.failing.clear();
});
