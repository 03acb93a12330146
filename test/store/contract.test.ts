// What every key store promises, asked of each kind of store alike.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { StoreUnavailable } from "../../src/store/key-store.ts";
import { POSTGRES_MISSING, TestPostgres } from "../support/postgres.ts";
import { failureOf } from "../support/until.ts";
import { makeKey, STORE_KINDS, type StorePlace } from "./kinds.ts";

// A busy machine is slow to start a server and to make a database.
setDefaultTimeout(30_000);

let postgres: TestPostgres | null = null;
beforeAll(async () => {
  if (POSTGRES_MISSING === null) postgres = await TestPostgres.start();
});
afterAll(async () => {
  await postgres?.[Symbol.asyncDispose]();
});

test("with CI=true nothing is left out: Postgres is there to test against", () => {
  if (process.env["CI"] === "true") expect(POSTGRES_MISSING).toBeNull();
});

for (const kind of STORE_KINDS) {
  const isMissing = kind.needsPostgres && POSTGRES_MISSING !== null;
  const title = isMissing ? `${kind.name} (left out: ${POSTGRES_MISSING})` : kind.name;
  describe.skipIf(isMissing)(title, () => contract(() => kind.place(postgres), kind.lasts));
}

function contract(place: () => Promise<StorePlace>, lasts: boolean): void {
  test("[Y2] a key comes back as it was stored, by its digest and in the list", async () => {
    using at = await place();
    const store = await at.open();
    const plain = makeKey({ name: "plain" });
    const full = makeKey(
      {
        name: `O'Brien "ünï" 日本 \\ %s $1 {a,b}`,
        scopes: ["infer", "worker", "admin"],
        models: ["llama*", 'a"b,c', "{}", "*", ""],
        provider: "local",
        workerName: "box 1",
        maxSlots: 8,
        maxConcurrent: 0,
        requestsPerMinute: 2_000_000_000,
        expiresAt: 4_102_444_800,
      },
      1_800_000_001,
    );
    const none = makeKey({ name: "", models: [] }, 1_800_000_002);
    for (const { key, digest } of [plain, full, none]) await store.insert({ key, digest });
    expect(await store.list()).toEqual([plain, full, none].map(({ key, digest }) => ({ key, digest })));
    expect(await store.findByDigest(full.digest)).toEqual({ key: full.key, digest: full.digest });
    expect(await store.findByDigest(makeKey().digest)).toBeNull();
    await store.close();
  });

  test("[Y2] a long list comes whole and in order", async () => {
    using at = await place();
    const store = await at.open();
    const made = Array.from({ length: 1_200 }, (_, index) => makeKey({}, 1_800_000_000 + index));
    for (const one of made) await store.insert(one);
    const list = await store.list();
    expect(list.map(({ key }) => key.id)).toEqual(made.map(({ key }) => key.id));
    await store.close();
  });

  test("[Y1] neither a secret nor part of it beyond the shown prefix is stored", async () => {
    using at = await place();
    const store = await at.open();
    const made = makeKey();
    await store.insert(made);
    expect(JSON.stringify(await store.list())).not.toContain(made.secret.slice(0, 11));
    await store.close();
  });

  test("[Y2] a revoked key stays revoked since the first time; what is not there is told apart", async () => {
    using at = await place();
    const store = await at.open();
    const made = makeKey();
    await store.insert(made);
    expect(await store.revoke(made.key.id, 1_800_000_100)).toBe(true);
    expect(await store.revoke(made.key.id, 1_800_000_200)).toBe(true);
    expect((await store.findByDigest(made.digest))?.key.revokedAt).toBe(1_800_000_100);
    expect(await store.revoke(crypto.randomUUID(), 1)).toBe(false);
    expect(await store.revoke("not an id'", 1)).toBe(false);
    await store.close();
  });

  test("[Y9] of two notes of a use the later one counts; those of unknown keys are ignored", async () => {
    using at = await place();
    const store = await at.open();
    const [one, other] = [makeKey(), makeKey()];
    await store.insert(one);
    await store.insert(other);
    await store.touch(
      new Map([
        [one.key.id, 1_800_000_500],
        [crypto.randomUUID(), 1_800_000_600],
      ]),
    );
    await store.touch(new Map([[one.key.id, 1_800_000_400]]));
    await store.touch(new Map());
    expect((await store.findByDigest(one.digest))?.key.lastUsedAt).toBe(1_800_000_500);
    expect((await store.findByDigest(other.digest))?.key.lastUsedAt).toBeNull();
    await store.close();
  });

  test("[Y2] a closed store answers nothing any more, and says so", async () => {
    using at = await place();
    const store = await at.open();
    await store.close();
    for (const ask of [store.list(), store.findByDigest("00".repeat(32)), store.insert(makeKey())]) {
      expect(await failureOf(ask)).toBeInstanceOf(StoreUnavailable);
    }
  });

  if (!lasts) return;

  test("[Y2] everything is there when the store is opened again", async () => {
    using at = await place();
    const store = await at.open();
    const [live, revoked] = [makeKey(), makeKey({}, 1_800_000_001)];
    await store.insert(live);
    await store.insert(revoked);
    await store.revoke(revoked.key.id, 1_800_000_050);
    await store.touch(new Map([[live.key.id, 1_800_000_060]]));
    const before = await store.list();
    await store.close();
    const again = await at.open();
    expect(await again.list()).toEqual(before);
    expect(before.map(({ key }) => [key.revokedAt, key.lastUsedAt])).toEqual([
      [null, 1_800_000_060],
      [1_800_000_050, null],
    ]);
    await again.close();
  });

  test("[Y7] the version tells that another process changed something, and stands still when nobody did", async () => {
    using at = await place();
    const [store, other] = [await at.open(), await at.open()];
    const made = makeKey();
    const versions = [await store.version(), await store.version()];
    expect(versions[1]).toBe(versions[0]);
    await other.insert(made);
    versions.push(await store.version());
    await other.revoke(made.key.id, 1_800_000_050);
    versions.push(await store.version());
    expect(new Set(versions).size).toBe(3);
    expect(await store.version()).toBe(versions[3]!);
    await Promise.all([store.close(), other.close()]);
  });

  test("[Y10] processes that start at once on a new place agree on one store", async () => {
    using at = await place();
    const stores = await Promise.all(Array.from({ length: 6 }, at.open));
    const made = stores.map(() => makeKey());
    await Promise.all(stores.map((store, index) => store.insert(made[index]!)));
    for (const store of stores) expect((await store.list()).length).toBe(stores.length);
    await Promise.all(stores.map((store) => store.close()));
  });
}
