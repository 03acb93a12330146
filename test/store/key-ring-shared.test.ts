// A store that other relays use too, and that is sometimes slow or gone: what the ring says meanwhile.
import { expect, test } from "bun:test";
import { makeSecret, plainTerms } from "../../src/store/api-key.ts";
import { REFRESH_INTERVAL_MS } from "../../src/store/key-ring.ts";
import { LOOKUP_DEADLINE_MS, LOOKUPS_AT_ONCE, LOOKUPS_MAX } from "../../src/store/key-lookup.ts";
import { StrangerCache, STRANGER_TTL_MS, STRANGERS_MAX } from "../../src/store/stranger-cache.ts";
import { freshSeed, Random } from "../support/random.ts";
import { turns, until } from "../support/until.ts";
import { FakeStore } from "./fake-store.ts";
import { makeKey } from "./kinds.ts";
import { type Rig, startRig } from "./rig.ts";

async function startPair(): Promise<readonly [Rig, Rig]> {
  const store = new FakeStore();
  return [await startRig(store), await startRig(store)];
}

test("[Y7] a key made at another relay is good here at its first use", async () => {
  const [here, there] = await startPair();
  const { key, secret } = await there.ring.create(plainTerms("new"));
  expect(here.ring.peek(secret)).toBeNull();
  expect(await here.ring.authenticate(secret)).toEqual({ kind: "key", key });
  expect(here.ring.peek(secret)?.kind).toBe("key");
});

test("[Y6] a key revoked or removed at another relay ends here within seconds, running work included", async () => {
  const [here, there] = await startPair();
  const [one, other] = [await there.ring.create(plainTerms("one")), await there.ring.create(plainTerms("other"))];
  await here.pass(REFRESH_INTERVAL_MS);
  expect(here.ring.peek(one.secret)?.kind).toBe("key");
  await there.ring.revoke(one.key.id);
  here.store.change(other.key.id, null);
  expect(REFRESH_INTERVAL_MS).toBeLessThan(5_000);
  await here.pass(REFRESH_INTERVAL_MS);
  expect(here.ring.peek(one.secret)).toEqual({ kind: "revoked" });
  expect(here.ended).toEqual([one.key.id, other.key.id]);
  expect(await here.ring.authenticate(other.secret)).toEqual({ kind: "unknown" });
  expect(await here.ring.list()).toHaveLength(1);
});

test("[Y7] what another process changes about a key counts here within seconds", async () => {
  await using rig = await startRig();
  const { key, secret } = await rig.ring.create(plainTerms("one"));
  const stored = rig.store.rows.get(key.id)!;
  rig.store.change(key.id, { ...stored, key: { ...stored.key, scopes: ["worker"] } });
  await rig.pass(REFRESH_INTERVAL_MS);
  expect(rig.ring.peek(secret)).toMatchObject({ kind: "key", key: { scopes: ["worker"] } });
});

test("[Y7] the whole list is read again only when something changed", async () => {
  await using rig = await startRig();
  for (let round = 0; round < 10; round++) await rig.pass(REFRESH_INTERVAL_MS);
  expect([rig.store.times("version"), rig.store.times("list")]).toEqual([11, 1]);
});

test("[Y7] a wrong key that is sent again and again is asked about once in a while", async () => {
  await using rig = await startRig();
  const wrong = makeSecret();
  for (let use = 0; use < 100; use++) expect(await rig.ring.authenticate(wrong)).toEqual({ kind: "unknown" });
  expect(rig.store.times("findByDigest")).toBe(1);
  expect(rig.ring.peek(wrong)).toEqual({ kind: "unknown" });
  await rig.pass(STRANGER_TTL_MS);
  expect(rig.ring.peek(wrong)).toBeNull();
  await rig.ring.authenticate(wrong);
  expect(rig.store.times("findByDigest")).toBe(2);
});

test("[Y7] the memory of wrong keys is bounded, and the one longest unasked for leaves it first", () => {
  const strangers = new StrangerCache();
  for (let index = 0; index < STRANGERS_MAX; index++) strangers.add(String(index), 0);
  expect(strangers.has("0", 1)).toBe(true);
  strangers.add("one more", 1);
  expect(strangers.size).toBe(STRANGERS_MAX);
  expect([strangers.has("0", 2), strangers.has("1", 2), strangers.has("one more", 2)]).toEqual([true, false, true]);
});

test("[Y7] a flood of different wrong keys asks the store a few at a time, and those beyond are told it cannot be known", async () => {
  await using rig = await startRig();
  rig.store.hold("findByDigest");
  const secrets = Array.from({ length: LOOKUPS_MAX + 44 }, makeSecret);
  const verdicts = secrets.map((secret) => rig.ring.authenticate(secret));
  const again = secrets.slice(0, LOOKUPS_MAX).map((secret) => rig.ring.authenticate(secret));
  await turns(3);
  expect(rig.store.times("findByDigest")).toBe(LOOKUPS_AT_ONCE);
  const beyond = await Promise.all(verdicts.slice(LOOKUPS_MAX));
  expect(beyond.map(({ kind }) => kind)).toEqual(Array(44).fill("unavailable"));
  rig.store.release("findByDigest");
  const told = await Promise.all([...verdicts.slice(0, LOOKUPS_MAX), ...again]);
  expect(told.map(({ kind }) => kind)).toEqual(Array(2 * LOOKUPS_MAX).fill("unknown"));
  expect(rig.store.times("findByDigest")).toBe(LOOKUPS_MAX);
});

test("[Y5] while the store is gone known keys keep working, and unknown ones are never let in", async () => {
  const [here, there] = await startPair();
  const known = await here.ring.create(plainTerms("known"));
  const elsewhere = await there.ring.create(plainTerms("elsewhere"));
  for (const question of ["findByDigest", "version", "list", "touch"] as const) here.store.failing.add(question);
  expect(here.ring.peek(known.secret)?.kind).toBe("key");
  await here.pass(10 * REFRESH_INTERVAL_MS);
  expect(here.ring.peek(known.secret)?.kind).toBe("key");
  expect(await here.ring.authenticate(elsewhere.secret)).toEqual({ kind: "unavailable" });
  expect(await here.ring.authenticate(makeSecret())).toEqual({ kind: "unavailable" });
  expect(await here.ring.list()).toHaveLength(1);
  expect(here.log.of("key store unavailable").map((line) => line.fields["for"])).toEqual(["reading", "writing"]);
  here.store.failing.clear();
  expect((await here.ring.authenticate(elsewhere.secret)).kind).toBe("key");
});

test("[Y5] a store that does not answer is waited for no longer than a moment; its late answer still counts", async () => {
  const [here, there] = await startPair();
  const { secret } = await there.ring.create(plainTerms("elsewhere"));
  here.store.hold("findByDigest");
  const verdict = here.ring.authenticate(secret);
  await turns(3);
  here.clock.advance(LOOKUP_DEADLINE_MS);
  expect(await verdict).toEqual({ kind: "unavailable" });
  const next = here.ring.authenticate(secret);
  here.store.release("findByDigest");
  expect((await next).kind).toBe("key");
  expect(here.store.times("findByDigest")).toBe(1);
});

test("[Y6] no older answer of the store brings a revoked key back", async () => {
  const [here, there] = await startPair();
  const { key, secret } = await there.ring.create(plainTerms("one"));
  here.store.hold("findByDigest", "list");
  const listing = here.ring.list();
  const verdict = here.ring.authenticate(secret);
  await until(() => here.store.heldBack("list") + here.store.heldBack("findByDigest") === 2, "both have read the key as good");
  await here.ring.revoke(key.id);
  here.store.release("findByDigest", "list");
  expect(await verdict).toEqual({ kind: "revoked" });
  await listing;
  expect(here.ring.peek(secret)).toEqual({ kind: "revoked" });
});

test("[Y7] a key made while the list is being read is not taken for one that was removed", async () => {
  await using rig = await startRig();
  rig.store.hold("list");
  const listing = rig.ring.list();
  await until(() => rig.store.heldBack("list") === 1, "the list has been read");
  const { secret } = await rig.ring.create(plainTerms("new"));
  rig.store.release("list");
  expect(await listing).toHaveLength(1);
  expect(rig.ring.peek(secret)?.kind).toBe("key");
  expect(rig.ended).toEqual([]);
});

test("[Y6] revoking and asking at random at two relays: whoever was told that a key is revoked never sees it good again", async () => {
  const random = new Random(freshSeed("two relays"));
  const rigs = await startPair();
  const store = rigs[0].store;
  const made = Array.from({ length: 30 }, () => makeKey());
  for (const { key, digest } of made) store.change(key.id, { key, digest });
  const revoked = [new Set<string>(), new Set<string>()] as const;
  const work: Promise<unknown>[] = [];
  for (let step = 0; step < 3_000; step++) {
    const relay = random.below(2);
    const { ring, clock } = rigs[relay]!;
    const { key, secret } = random.pick(made);
    const isRevoked = revoked[relay]!.has(key.id);
    const dice = random.below(20);
    if (dice === 0) {
      work.push(ring.revoke(key.id).catch(() => {}));
      revoked[relay]!.add(key.id);
    } else if (dice === 1) store.hold(random.pick(["list", "findByDigest", "revoke", "version"]));
    else if (dice < 4) store.release("list", "findByDigest", "revoke", "version");
    else if (dice === 4) clock.advance(500);
    else if (dice === 5) store.failing.add("revoke");
    else if (dice === 6) store.failing.clear();
    else if (dice === 7) await turns(1);
    else {
      const verdict = ring.authenticate(secret);
      work.push(verdict.then(({ kind }) => expect([isRevoked, kind]).not.toEqual([true, "key"])));
    }
  }
  store.failing.clear();
  store.release("list", "findByDigest", "revoke", "version");
  // Every wait and every retry comes to its end.
  for (let round = 0; round < 10; round++) for (const rig of rigs) await rig.pass(REFRESH_INTERVAL_MS);
  await Promise.all(work);
  for (const { key, secret } of made) {
    const isRevoked = revoked.some((set) => set.has(key.id));
    for (const { ring } of rigs) expect((await ring.authenticate(secret)).kind).toBe(isRevoked ? "revoked" : "key");
    expect(store.rows.get(key.id)?.key.revokedAt !== null).toBe(isRevoked);
  }
});
