// What only a database server can do: be of an earlier installation, go away, freeze, refuse.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import { CommandError, UsageError } from "../../src/base/errors.ts";
import { digestOf, makeSecret, plainTerms } from "../../src/store/api-key.ts";
import { REFRESH_INTERVAL_MS } from "../../src/store/key-ring.ts";
import { type KeyStore, StoreUnavailable } from "../../src/store/key-store.ts";
import { ANSWER_DEADLINE_MS, CONNECTIONS_MAX } from "../../src/store/postgres-pool.ts";
import { openPostgresStore } from "../../src/store/postgres-store.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { POSTGRES_MISSING, TestPostgres } from "../support/postgres.ts";
import { failureOf, turns, until } from "../support/until.ts";
import { makeKey } from "./kinds.ts";
import { startPickyPooler } from "./picky-pooler.ts";
import { startRigOn } from "./rig.ts";

// A busy machine is slow to start a server and to make a database.
setDefaultTimeout(30_000);

const EARLIER_TABLE = `CREATE TABLE server_api_keys (
  id uuid PRIMARY KEY, name text NOT NULL, prefix text NOT NULL, hash bytea NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now(), last_used_at timestamptz, revoked_at timestamptz)`;

const title = POSTGRES_MISSING === null ? "Postgres" : `Postgres (left out: ${POSTGRES_MISSING})`;
describe.skipIf(POSTGRES_MISSING !== null)(title, () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await TestPostgres.start();
  });
  afterAll(async () => {
    await postgres[Symbol.asyncDispose]();
  });

  const open = (url: string): Promise<KeyStore> => openPostgresStore(url, systemClock);

  /** Uses time that a test moves, for the answer deadline too. */
  const openFrozenInTime = async (url: string): Promise<{ readonly store: KeyStore; readonly clock: ManualClock }> => {
    const clock = new ManualClock();
    return { store: await openPostgresStore(url, clock), clock };
  };

  /** What the operator is told, and whether it may pass by itself. */
  const refusalOf = async (url: string): Promise<{ readonly text: string; readonly mayPass: boolean }> => {
    const error = await failureOf(open(url));
    if (!(error instanceof UsageError || error instanceof CommandError)) throw error;
    return { text: error.message, mayPass: error instanceof CommandError };
  };

  const insertEarlier = (secret: string, revokedAt: string): string =>
    `INSERT INTO server_api_keys (id, name, prefix, hash, created_at, last_used_at, revoked_at) VALUES
      ('${crypto.randomUUID()}', 'old', '${secret.slice(0, 12)}', decode('${digestOf(secret)}', 'hex'),
      '2026-01-02 03:04:05.678+00', NULL, ${revokedAt})`;

  test("[Y10] [Y1] the keys of an earlier installation work on, its revoked ones stay revoked, and it can go on beside this one", async () => {
    const url = await postgres.database();
    const [live, revoked, later] = ["live", "gone", "late"].map((name) => `mr_live_${name.padEnd(32, "0")}`);
    await postgres.query(url, [EARLIER_TABLE, insertEarlier(live!, "NULL"), insertEarlier(revoked!, "now()")].join(";"));
    const stores = await Promise.all(Array.from({ length: 4 }, () => open(url)));
    await using rig = await startRigOn(stores[0]!);
    expect(rig.ring.peek(live!)).toMatchObject({
      kind: "key",
      key: { name: "old", prefix: live!.slice(0, 12), scopes: ["infer"], models: null, createdAt: 1_767_323_045, expiresAt: null },
    });
    expect(rig.ring.peek(revoked!)).toEqual({ kind: "revoked" });
    await postgres.query(url, insertEarlier(later!, "NULL"));
    expect((await rig.ring.authenticate(later!)).kind).toBe("key");
    const { key, secret } = await rig.ring.create({ ...plainTerms("new", ["worker"]), models: ["a*"] });
    expect((await stores[1]!.findByDigest(digestOf(secret)))?.key).toEqual(key);
    await rig.ring.stop();
    await Promise.all(stores.map((store) => store.close()));
  });

  test("[Y10] a table that is in order is not altered again: a start needs no rights to, and no waiting for its readers", async () => {
    const url = await postgres.database();
    await (await open(url)).close();
    await postgres.query(
      url,
      `DROP ROLE IF EXISTS relay; CREATE ROLE relay LOGIN; GRANT SELECT, INSERT, UPDATE ON server_api_keys TO relay`,
    );
    const store = await open(url.replace("postgres@", "relay@"));
    await store.insert(makeKey());
    expect((await store.list()).length).toBe(1);
    await store.close();
  });

  test("[Y10] a user who may not make the table, a table that is another's, a database that is not there: refused with what to do", async () => {
    const url = await postgres.database();
    await postgres.query(url, "DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN; REVOKE ALL ON SCHEMA public FROM public");
    const guest = await refusalOf(url.replace("postgres@", "guest:hidden@"));
    expect(guest).toEqual({ text: expect.stringMatching(/This user may not create or change the table/), mayPass: true });
    const other = await postgres.database();
    await postgres.query(other, "CREATE TABLE server_api_keys (id uuid, name text, prefix text, hash text)");
    const foreign = /is not a key table of ModelRelay: its column 'hash' should be of type 'bytea'/;
    expect(await refusalOf(other)).toEqual({ text: expect.stringMatching(foreign), mayPass: false });
    expect(await refusalOf(`${url}nowhere`)).toEqual({ text: expect.stringMatching(/There is no database of that name/), mayPass: true });
  });

  test("[Y10] an address that is none is a mistake; one where nobody answers may pass, and service managers try it again", async () => {
    const noAddress = expect.stringMatching(/not the address of a Postgres database/);
    expect(await refusalOf("mysql://relay:hidden@127.0.0.1/keys")).toEqual({ text: noAddress, mayPass: false });
    const nobody = expect.stringMatching(/database at 127\.0\.0\.1:1\/keys cannot be used\..* reached/);
    expect(await refusalOf("postgres://relay:hidden@127.0.0.1:1/keys")).toEqual({ text: nobody, mayPass: true });
  });

  test("[Y13] no refusal and no log line shows the password", async () => {
    const url = (await postgres.database()).replace("postgres@", "postgres:hidden@");
    expect((await refusalOf(`${url}nowhere`)).text).not.toContain("hidden");
    const store = await open(url);
    const rig = await startRigOn(store);
    await postgres.stop();
    await rig.ring.authenticate(makeSecret());
    await rig.ring.stop();
    await store.close();
    await postgres.run();
    expect(rig.log.of("key store unavailable")).toHaveLength(1);
    expect(JSON.stringify(rig.log.lines)).not.toContain("hidden");
  });

  test("[Y6] [Y7] two relays on one database: made here is good there, revoked here ends there", async () => {
    const url = await postgres.database();
    const [here, there] = [await startRigOn(await open(url)), await startRigOn(await open(url))];
    const { key, secret } = await here.ring.create(plainTerms("one"));
    expect((await there.ring.authenticate(secret)).kind).toBe("key");
    await here.ring.revoke(key.id);
    there.clock.advance(REFRESH_INTERVAL_MS);
    await until(() => there.ended.includes(key.id), "the other relay hears of it");
    expect(there.ring.peek(secret)).toEqual({ kind: "revoked" });
    for (const { ring, store } of [here, there]) {
      await ring.stop();
      await store.close();
    }
  });

  test("[Y5] while the server is down known keys work, unknown ones are not let in; when it is back everything is as before", async () => {
    const url = await postgres.database();
    const store = await open(url);
    await using rig = await startRigOn(store);
    const [one, other] = [await rig.ring.create(plainTerms("one")), await rig.ring.create(plainTerms("other"))];
    await postgres.stop();
    expect(rig.ring.peek(one.secret)?.kind).toBe("key");
    expect(await rig.ring.authenticate(makeSecret())).toEqual({ kind: "unavailable" });
    expect(await failureOf(rig.ring.create(plainTerms("new")))).toMatchObject({ reason: "The key database cannot be reached." });
    expect(await failureOf(rig.ring.revoke(other.key.id))).toBeInstanceOf(StoreUnavailable);
    expect(rig.ring.peek(other.secret)).toEqual({ kind: "revoked" });
    await postgres.run();
    expect(await rig.ring.authenticate(makeSecret())).toEqual({ kind: "unknown" });
    expect(await rig.ring.revoke(other.key.id)).toBe(true);
    const rows = await postgres.query(url, "SELECT id::text AS id FROM server_api_keys WHERE revoked_at IS NOT NULL");
    expect(rows.map((row) => row["id"])).toEqual([other.key.id]);
    await rig.ring.stop();
    await store.close();
  });

  test("[Y11] a server that froze is given up after its deadline, and asked again on new connections once it goes on", async () => {
    const { store, clock } = await openFrozenInTime(await postgres.database());
    const made = makeKey();
    await store.insert(made);
    postgres.freeze();
    const answers = Array.from({ length: CONNECTIONS_MAX + 3 }, () => failureOf(store.findByDigest(made.digest)));
    await turns(5);
    clock.advance(ANSWER_DEADLINE_MS);
    for (const answer of answers) expect(await answer).toMatchObject({ reason: "The key database did not answer in time." });
    postgres.thaw();
    expect((await store.findByDigest(made.digest))?.key).toEqual(made.key);
    expect(clock.pending).toBe(0);
    await store.close();
  });

  test("[Y5] [Y11] a frozen server holds nobody up: known keys at once, unknown ones are told after a moment", async () => {
    const { store } = await openFrozenInTime(await postgres.database());
    await using rig = await startRigOn(store);
    const { secret } = await rig.ring.create(plainTerms("one"));
    postgres.freeze();
    const verdict = rig.ring.authenticate(makeSecret());
    expect(rig.ring.peek(secret)?.kind).toBe("key");
    await rig.pass(ANSWER_DEADLINE_MS);
    expect(await verdict).toEqual({ kind: "unavailable" });
    postgres.thaw();
    await rig.ring.stop();
    await store.close();
  });

  test("[Y11] no more connections than that are opened, however much is asked at once", async () => {
    const url = await postgres.database();
    const store = await open(url);
    const connections = async (): Promise<number> => {
      const ours = "application_name = 'modelrelay' AND datname = current_database()";
      const [row] = await postgres.query(url, `SELECT count(*)::int AS open FROM pg_stat_activity WHERE ${ours}`);
      return Number(row?.["open"]);
    };
    // While somebody holds the table, all of them wait.
    const held = postgres.query(url, "BEGIN; LOCK TABLE server_api_keys; SELECT pg_sleep(1); COMMIT");
    const answers = Promise.all(Array.from({ length: 200 }, () => store.findByDigest(makeKey().digest)));
    let most = 0;
    await Promise.all([
      held,
      until(async () => {
        most = Math.max(most, await connections());
        return most >= CONNECTIONS_MAX;
      }, "every connection is taken"),
    ]);
    await answers;
    expect(Math.max(most, await connections())).toBe(CONNECTIONS_MAX);
    await store.close();
  });

  test("[Y11] connections that the server closed are made again", async () => {
    const url = await postgres.database();
    const store = await open(url);
    const made = makeKey();
    await store.insert(made);
    await postgres.query(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'modelrelay'");
    // The first question may be the one that finds out.
    await until(async () => (await store.findByDigest(made.digest).catch(() => null)) !== null, "the key is found again");
    await store.close();
  });

  test("[Y2] behind a pooler that refuses settings of a connection, the same is kept", async () => {
    using pooler = await startPickyPooler(await postgres.database());
    const store = await open(pooler.url);
    const { refused } = pooler;
    expect(refused).toBeWithin(1, CONNECTIONS_MAX + 1);
    const made = makeKey();
    await store.insert(made);
    expect((await store.findByDigest(made.digest))?.key).toEqual(made.key);
    expect(pooler.refused).toBe(refused);
    await store.close();
  });

  test("[Y5] a database that takes no writes says so; reading goes on", async () => {
    const url = await postgres.database();
    await (await open(url)).close();
    await postgres.query(url, `ALTER DATABASE ${url.split("/").at(-1)} SET default_transaction_read_only = on`);
    const store = await open(url);
    expect(await failureOf(store.insert(makeKey()))).toMatchObject({ reason: "The key database may not be written to." });
    expect(await store.list()).toEqual([]);
    await store.close();
  });
});
