// Another program has the SQLite file locked: the relay waits for it, and goes on with everything else.
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { BUSY_LIMIT_MS, BUSY_RETRY_MS } from "../../src/store/busy-wait.ts";
import { StoreUnavailable } from "../../src/store/key-store.ts";
import { databaseFileIn } from "../../src/store/sqlite-file.ts";
import { openSqliteStore } from "../../src/store/sqlite-store.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { failureOf, turns, until } from "../support/until.ts";
import { makeKey, temporaryDirectory } from "./kinds.ts";

interface Lock extends Disposable {
  readonly release: () => void;
}

/** As an open shell or a backup holds it: others read, and none writes. */
function lock(dataDir: string): Lock {
  const database = new Database(databaseFileIn(dataDir));
  database.run("BEGIN IMMEDIATE");
  return { release: () => void database.run("ROLLBACK"), [Symbol.dispose]: () => database.close() };
}

test("[Y5] while another program has the database locked everything else goes on, and what was to be written is when it lets go", async () => {
  using at = temporaryDirectory();
  let pauses = 0;
  const startTimer: Clock["startTimer"] = (delayMs, onDue) => {
    pauses++;
    return systemClock.startTimer(delayMs, onDue);
  };
  const store = openSqliteStore(at.path, { ...systemClock, startTimer });
  const [there, added] = [makeKey(), makeKey()];
  await store.insert(there);
  using held = lock(at.path);
  const settled: string[] = [];
  const inserted = store.insert(added).finally(() => settled.push("insert"));
  const revoked = store.revoke(there.key.id, 1_800_000_001).finally(() => settled.push("revoke"));
  // Several tries later both still wait, while timers and readers have their turns.
  await until(() => pauses >= 8, "it is tried again and again");
  expect((await store.findByDigest(there.digest))?.key.revokedAt).toBeNull();
  expect(settled).toEqual([]);
  held.release();
  await inserted;
  expect(await revoked).toBe(true);
  const list = await store.list();
  expect(list.map(({ key }) => [key.id, key.revokedAt])).toEqual([
    [there.key.id, 1_800_000_001],
    [added.key.id, null],
  ]);
  await store.close();
});

test("[Y5] a database that stays locked is given up after 5 s, by the clock, and can be used once it is free", async () => {
  using at = temporaryDirectory();
  const clock = new ManualClock();
  const store = openSqliteStore(at.path, clock);
  const made = makeKey();
  using held = lock(at.path);
  let isSettled = false;
  const failure = failureOf(store.insert(made).finally(() => (isSettled = true)));
  await turns();
  for (let passedMs = 0; passedMs < BUSY_LIMIT_MS; passedMs += BUSY_RETRY_MS) {
    expect(isSettled).toBe(false);
    clock.advance(BUSY_RETRY_MS);
    await turns();
  }
  expect(isSettled).toBe(true);
  const error = await failure;
  expect(error).toBeInstanceOf(StoreUnavailable);
  expect(error).toMatchObject({ reason: "The key database is locked by another program." });
  expect(clock.pending).toBe(0);
  held.release();
  await store.insert(made);
  expect(await store.list()).toHaveLength(1);
  await store.close();
});

test("[Y5] a store that is closed waits for nobody any more", async () => {
  using at = temporaryDirectory();
  const clock = new ManualClock();
  const store = openSqliteStore(at.path, clock);
  using held = lock(at.path);
  const failure = failureOf(store.insert(makeKey()));
  await turns();
  expect(clock.pending).toBe(1);
  await store.close();
  expect(await failure).toMatchObject({ reason: "The key database is locked by another program." });
  expect(clock.pending).toBe(0);
  held.release();
});
