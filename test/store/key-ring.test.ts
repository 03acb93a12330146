// The ring's answers: who is this key, and what of it lasts.
import { expect, test } from "bun:test";
import { digestOf, plainTerms, shownPrefix } from "../../src/store/api-key.ts";
import { REFRESH_INTERVAL_MS } from "../../src/store/key-ring.ts";
import { StoreUnavailable } from "../../src/store/key-store.ts";
import { USES_WRITTEN_EVERY_MS } from "../../src/store/last-uses.ts";
import { REVOCATION_RETRY_MS } from "../../src/store/revocations.ts";
import { failureOf, turns } from "../support/until.ts";
import { FakeStore } from "./fake-store.ts";
import { makeKey } from "./kinds.ts";
import { startRig } from "./rig.ts";

const unixNow = 1_800_000_000;

test("[Y1] a new key is known at once by its secret, which is nowhere kept", async () => {
  await using rig = await startRig();
  const { key, secret } = await rig.ring.create({ ...plainTerms("laptop"), models: ["llama*"] });
  expect(secret).toMatch(/^mr-[0-9A-Za-z]{43}$/);
  expect(key).toMatchObject({ name: "laptop", prefix: secret.slice(0, 10), scopes: ["infer"], models: ["llama*"], createdAt: unixNow });
  expect(rig.ring.peek(secret)).toEqual({ kind: "key", key });
  expect(rig.store.rows.get(key.id)).toEqual({ key, digest: digestOf(secret) });
  expect(JSON.stringify([...rig.store.rows, rig.log.lines])).not.toContain(secret.slice(3));
});

test("[Y1] keys of earlier installations work on", async () => {
  const store = new FakeStore();
  const secret = "mr_live_0123456789abcdefghijABCDEFGHIJzz";
  const { key } = makeKey({ name: "old" });
  store.change(key.id, { key: { ...key, prefix: shownPrefix(secret) }, digest: digestOf(secret) });
  await using rig = await startRig(store);
  expect(rig.ring.peek(secret)?.kind).toBe("key");
});

test("[Y1] what cannot be a key is unknown without asking anybody", async () => {
  await using rig = await startRig();
  const texts = ["", "mr-", "sk-abc", `mr-${"a".repeat(42)}`, `mr-${"a".repeat(44)}`, `mr-${"ä".repeat(43)}`, "x".repeat(1_000_000)];
  for (const text of texts) expect(rig.ring.peek(text)).toEqual({ kind: "unknown" });
  for (const text of texts) expect(await rig.ring.authenticate(text)).toEqual({ kind: "unknown" });
  expect(rig.store.times("findByDigest")).toBe(0);
});

test("[Y8] a key is good until the second it expires, without anybody having to tell", async () => {
  await using rig = await startRig();
  const { key, secret } = await rig.ring.create({ ...plainTerms("guest"), expiresAt: unixNow + 60 });
  await rig.pass(59_999);
  expect(rig.ring.peek(secret)?.kind).toBe("key");
  await rig.pass(1);
  expect(rig.ring.peek(secret)).toEqual({ kind: "expired" });
  expect(await rig.ring.authenticate(secret)).toEqual({ kind: "expired" });
  await rig.ring.revoke(key.id);
  expect(rig.ring.peek(secret)).toEqual({ kind: "revoked" });
});

test("[Y8] whoever serves a key hears of its end by expiry, once, within seconds; a store that hangs delays it only", async () => {
  await using rig = await startRig();
  const guest = await rig.ring.create({ ...plainTerms("guest"), expiresAt: unixNow + 60 });
  const late = await rig.ring.create({ ...plainTerms("late"), expiresAt: unixNow + 90 });
  const gone = await rig.ring.create({ ...plainTerms("gone"), expiresAt: unixNow + 60 });
  await rig.ring.revoke(gone.key.id);
  expect(rig.ended).toEqual([gone.key.id]);
  await rig.pass(59_000);
  expect(rig.ended).toEqual([gone.key.id]);
  for (let round = 0; round < 3; round++) await rig.pass(REFRESH_INTERVAL_MS);
  expect(rig.ended).toEqual([gone.key.id, guest.key.id]);
  expect(rig.log.of("key expired").map(({ fields }) => fields?.["key_name"])).toEqual(["guest"]);
  rig.store.hold("version");
  for (let round = 0; round < 20; round++) await rig.pass(REFRESH_INTERVAL_MS);
  rig.store.release("version");
  await rig.pass(0);
  expect(rig.ended).toEqual([gone.key.id, guest.key.id, late.key.id]);
});

test("[Y6] a revocation holds before the store has heard of it, and is a success only when the store has it", async () => {
  await using rig = await startRig();
  const { key, secret } = await rig.ring.create(plainTerms("laptop"));
  rig.store.hold("revoke");
  let isDone = false;
  const revoking = rig.ring.revoke(key.id).then((isThere) => {
    isDone = true;
    return isThere;
  });
  expect(rig.ring.peek(secret)).toEqual({ kind: "revoked" });
  expect(rig.ended).toEqual([key.id]);
  await turns(3);
  expect(isDone).toBe(false);
  rig.store.release("revoke");
  expect(await revoking).toBe(true);
  expect(rig.store.rows.get(key.id)?.key.revokedAt).toBe(unixNow);
  expect(await rig.ring.revoke(key.id)).toBe(true);
  expect(rig.ended).toEqual([key.id]);
});

test("[Y6] revoking what is not there is told apart, and asks nobody when it is no id at all", async () => {
  await using rig = await startRig();
  expect(await rig.ring.revoke(crypto.randomUUID())).toBe(false);
  expect(await rig.ring.revoke("../keys")).toBe(false);
  expect(rig.store.times("revoke")).toBe(1);
});

test("[Y6] a revocation that cannot be written holds all the same, and is written as soon as the store can", async () => {
  await using rig = await startRig();
  const { key, secret } = await rig.ring.create(plainTerms("laptop"));
  rig.store.failing.add("revoke");
  expect(await failureOf(rig.ring.revoke(key.id))).toBeInstanceOf(StoreUnavailable);
  expect(rig.ring.peek(secret)).toEqual({ kind: "revoked" });
  expect(rig.ended).toEqual([key.id]);
  await rig.pass(REVOCATION_RETRY_MS);
  expect(rig.store.times("revoke")).toBe(2);
  // The store itself still calls the key good; that does not bring it back.
  await rig.ring.list();
  expect(rig.ring.peek(secret)).toEqual({ kind: "revoked" });
  rig.store.failing.clear();
  await rig.pass(REVOCATION_RETRY_MS);
  expect(rig.store.rows.get(key.id)?.key.revokedAt).toBe(unixNow);
  expect(rig.log.of("revocation stored")).toHaveLength(1);
  await rig.pass(10 * REVOCATION_RETRY_MS);
  expect(rig.store.times("revoke")).toBe(3);
});

test("[Y6] what is not written at the end is tried once more, and its loss is said", async () => {
  const rigs = [await startRig(), await startRig()] as const;
  for (const [index, rig] of rigs.entries()) {
    const { key } = await rig.ring.create(plainTerms("laptop"));
    rig.store.failing.add("revoke");
    await failureOf(rig.ring.revoke(key.id));
    if (index === 0) rig.store.failing.clear();
    await rig.ring.stop();
    expect(rig.clock.pending).toBe(0);
  }
  expect(rigs.map((rig) => rig.log.of("revocation lost").length)).toEqual([0, 1]);
});

test("[Y6] a listener that fails keeps no other from hearing of an end; one that left hears nothing", async () => {
  await using rig = await startRig();
  const heard: string[] = [];
  rig.ring.onEnded(() => {
    throw new Error("broken");
  });
  const leave = rig.ring.onEnded(() => heard.push("left"));
  rig.ring.onEnded(() => heard.push("last"));
  leave();
  const { key } = await rig.ring.create(plainTerms("laptop"));
  await rig.ring.revoke(key.id);
  expect(heard).toEqual(["last"]);
  expect(rig.log.of("internal error")).toHaveLength(1);
});

test("[Y5] a key that could not be stored is not made", async () => {
  await using rig = await startRig();
  rig.store.failing.add("insert");
  expect(await failureOf(rig.ring.create(plainTerms("laptop")))).toBeInstanceOf(StoreUnavailable);
  expect(await rig.ring.list()).toEqual([]);
});

test("[Y9] uses are written together every ten seconds, and nobody waits for it", async () => {
  await using rig = await startRig();
  const [one, other] = [await rig.ring.create(plainTerms("one")), await rig.ring.create(plainTerms("other"))];
  for (let second = 0; second < 5; second++) {
    for (let use = 0; use < 100; use++) expect(rig.ring.peek(one.secret)?.kind).toBe("key");
    await rig.pass(1_000);
  }
  await rig.ring.authenticate(other.secret);
  expect(rig.store.times("touch")).toBe(0);
  expect((await rig.ring.list()).map((key) => key.lastUsedAt)).toEqual([unixNow + 4, unixNow + 5]);
  rig.store.hold("touch");
  await rig.pass(USES_WRITTEN_EVERY_MS - 5_000);
  expect(rig.store.times("touch")).toBe(1);
  expect(rig.ring.peek(one.secret)?.kind).toBe("key");
  rig.store.release("touch");
  expect([...rig.store.rows.values()].map((row) => row.key.lastUsedAt)).toEqual([unixNow + 4, unixNow + 5]);
});

test("[Y9] uses that could not be written are written next time, and at the end", async () => {
  const rig = await startRig();
  const { key, secret } = await rig.ring.create(plainTerms("one"));
  const stored = (): number | null | undefined => rig.store.rows.get(key.id)?.key.lastUsedAt;
  rig.store.failing.add("touch");
  rig.ring.peek(secret);
  await rig.pass(USES_WRITTEN_EVERY_MS);
  expect([rig.store.times("touch"), stored()]).toEqual([1, null]);
  rig.store.failing.clear();
  await rig.pass(USES_WRITTEN_EVERY_MS);
  expect([rig.store.times("touch"), stored()]).toEqual([2, unixNow]);
  rig.ring.peek(secret);
  await rig.ring.stop();
  expect([rig.store.times("touch"), stored()]).toEqual([3, unixNow + 20]);
  expect(rig.clock.pending).toBe(0);
});

test("[Y5] without its keys a relay does not start", async () => {
  const store = new FakeStore();
  store.failing.add("list");
  expect(await failureOf(startRig(store))).toBeInstanceOf(StoreUnavailable);
});

test("[Y13] the log says once when the store goes and once when it comes back, apart for reading and writing", async () => {
  await using rig = await startRig();
  const { secret } = await rig.ring.create(plainTerms("one"));
  rig.store.failing.add("touch");
  for (let round = 0; round < 5; round++) {
    rig.ring.peek(secret);
    await rig.pass(USES_WRITTEN_EVERY_MS);
  }
  expect(rig.log.of("key store unavailable").map((line) => line.fields)).toEqual([{ for: "writing", reason: "The test says so." }]);
  rig.store.failing.clear();
  await rig.pass(USES_WRITTEN_EVERY_MS);
  expect(rig.log.of("key store available again").map((line) => line.fields)).toEqual([{ for: "writing" }]);
});

test("stopping twice is stopping once, and leaves no timer", async () => {
  const rig = await startRig();
  await rig.ring.stop();
  await rig.ring.stop();
  expect(rig.clock.pending).toBe(0);
});
