// The SQLite file is moved, removed or replaced under a running relay: nothing is called durable that a restart would not find.
import { expect, test } from "bun:test";
import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { plainTerms } from "../../src/store/api-key.ts";
import { REFRESH_INTERVAL_MS } from "../../src/store/key-ring.ts";
import { databaseFileIn } from "../../src/store/sqlite-file.ts";
import { openSqliteStore } from "../../src/store/sqlite-store.ts";
import { failureOf } from "../support/until.ts";
import { makeKey, temporaryDirectory } from "./kinds.ts";
import { startRigOn } from "./rig.ts";

const MOVED = {
  name: "StoreUnavailable",
  reason: "The key database was moved, removed or replaced while the relay runs. See that the right file is there, then restart the relay.",
};

// Windows lets nobody do this to an open file.
const onUnix = test.skipIf(process.platform === "win32");

async function replace(dataDir: string): Promise<void> {
  rmSync(dataDir, { recursive: true });
  await openSqliteStore(dataDir, systemClock).close();
}

onUnix.each([
  ["removed with its directory", (dataDir: string) => rmSync(dataDir, { recursive: true })],
  ["removed", (dataDir: string) => rmSync(databaseFileIn(dataDir))],
  ["moved", (dataDir: string) => renameSync(databaseFileIn(dataDir), join(dataDir, "old.db"))],
  ["replaced by another database", replace],
] as const)("[Y2] [Y5] a database that is %s takes no key and no revocation, and says why", async (_name, lose) => {
  using at = temporaryDirectory();
  const dataDir = join(at.path, "state");
  const store = openSqliteStore(dataDir, systemClock);
  const made = makeKey();
  await store.insert(made);
  await lose(dataDir);
  const asked = [
    store.insert(makeKey()),
    store.revoke(made.key.id, 1_800_000_001),
    store.touch(new Map([[made.key.id, 1]])),
    store.version(),
    store.list(),
    store.findByDigest(made.digest),
  ];
  for (const answer of asked.map(failureOf)) expect(await answer).toMatchObject(MOVED);
  await store.close();
});

onUnix("[Y5] keys that are known go on, the log says it once before anybody writes, and it is over when the file is back", async () => {
  using at = temporaryDirectory();
  const [dataDir, elsewhere] = [join(at.path, "state"), join(at.path, "elsewhere")];
  const store = openSqliteStore(dataDir, systemClock);
  await using rig = await startRigOn(store);
  const [known, revoked] = [await rig.ring.create(plainTerms("known")), await rig.ring.create(plainTerms("revoked"))];
  renameSync(dataDir, elsewhere);
  for (let looks = 0; looks < 3; looks++) await rig.pass(REFRESH_INTERVAL_MS);
  const said = rig.log.of("key store unavailable");
  expect(said.map(({ fields }) => fields)).toMatchObject([{ for: "reading", reason: MOVED.reason }]);
  expect(await failureOf(rig.ring.create(plainTerms("new")))).toMatchObject(MOVED);
  expect(await failureOf(rig.ring.revoke(revoked.key.id))).toMatchObject(MOVED);
  expect([rig.ring.peek(known.secret)?.kind, rig.ring.peek(revoked.secret)?.kind]).toEqual(["key", "revoked"]);
  expect((await rig.ring.authenticate(makeKey().secret)).kind).toBe("unavailable");
  renameSync(elsewhere, dataDir);
  const { secret } = await rig.ring.create(plainTerms("later"));
  expect(await rig.ring.revoke(revoked.key.id)).toBe(true);
  await rig.ring.stop();
  await store.close();
  // What was answered with success is what a restart finds.
  const again = openSqliteStore(dataDir, systemClock);
  await using after = await startRigOn(again);
  expect([known.secret, revoked.secret, secret].map((one) => after.ring.peek(one)?.kind)).toEqual(["key", "revoked", "key"]);
  await after.ring.stop();
  await again.close();
});
