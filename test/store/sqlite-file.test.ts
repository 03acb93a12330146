// The SQLite file: private, refused when it is not whole, and honest when its disk is full.
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { UsageError } from "../../src/base/errors.ts";
import { plainTerms } from "../../src/store/api-key.ts";
import { type KeyStore, StoreUnavailable } from "../../src/store/key-store.ts";
import { openKeyStore } from "../../src/store/open-store.ts";
import { REVOCATION_RETRY_MS } from "../../src/store/revocations.ts";
import { databaseFileIn, openDatabase } from "../../src/store/sqlite-file.ts";
import { createSqliteStore, openSqliteStore } from "../../src/store/sqlite-store.ts";
import { failureOf } from "../support/until.ts";
import { makeKey, temporaryDirectory } from "./kinds.ts";
import { startRigOn } from "./rig.ts";

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

/** A directory whose database holds one key, and is closed. */
async function fill(dataDir: string): Promise<string> {
  const store = openSqliteStore(dataDir, systemClock);
  await store.insert(makeKey());
  await store.close();
  return databaseFileIn(dataDir);
}

/** What the operator is told. */
async function refusalOf(dataDir: string): Promise<string> {
  const error = await failureOf(openKeyStore({ databaseUrl: null, dataDir, clock: systemClock }));
  expect(error).toBeInstanceOf(UsageError);
  return error instanceof Error ? error.message : "";
}

test("[Y3] the database and its side files are the owner's alone, whatever the umask", async () => {
  using at = temporaryDirectory();
  const dataDir = join(at.path, "not", "there", "yet");
  const umask = process.umask(0);
  try {
    const store = openSqliteStore(dataDir, systemClock);
    await store.insert(makeKey());
    expect([modeOf(join(at.path, "not")), modeOf(dataDir)]).toEqual(["700", "700"]);
    const files = readdirSync(dataDir).sort();
    expect(files).toEqual(["modelrelay.db", "modelrelay.db-shm", "modelrelay.db-wal"]);
    expect(files.map((file) => modeOf(join(dataDir, file)))).toEqual(["600", "600", "600"]);
    await store.close();
  } finally {
    process.umask(umask);
  }
});

test("[Y1] the files hold of a secret what is shown of it, and no piece of the rest", async () => {
  using at = temporaryDirectory();
  const store = openSqliteStore(at.path, systemClock);
  const rig = await startRigOn(store);
  const { secret } = await rig.ring.create(plainTerms("laptop"));
  expect((await rig.ring.authenticate(secret)).kind).toBe("key");
  await rig.ring.stop();
  expect((await store.list()).map(({ key }) => key.prefix)).toEqual([secret.slice(0, 10)]);
  const bytes = readdirSync(at.path).map((file) => readFileSync(join(at.path, file), "latin1"));
  expect(bytes.some((text) => text.includes(secret.slice(0, 10)))).toBe(true);
  const hidden = secret.slice(10);
  const pieces = Array.from({ length: hidden.length - PIECE_CHARS + 1 }, (_, from) => hidden.slice(from, from + PIECE_CHARS));
  expect(pieces.filter((piece) => bytes.some((text) => text.includes(piece)))).toEqual([]);
  await store.close();
});

// A shorter piece can be there by chance: beside the prefix stands the digest, whose bytes may be any.
const PIECE_CHARS = 8;

test("[Y3] a copied file that others could read is made private; a directory that was there keeps its mode", async () => {
  using at = temporaryDirectory();
  const file = await fill(at.path);
  chmodSync(file, 0o644);
  chmodSync(at.path, 0o755);
  await openSqliteStore(at.path, systemClock).close();
  expect([modeOf(file), modeOf(at.path)]).toEqual(["600", "755"]);
});

test("[Y3] in memory no file is made, and two relays share nothing", async () => {
  const stores = [openSqliteStore(":memory:", systemClock), openSqliteStore(":memory:", systemClock)];
  await stores[0]!.insert(makeKey());
  expect(existsSync(":memory:")).toBe(false);
  expect((await stores[1]!.list()).length).toBe(0);
  for (const store of stores) await store.close();
});

test("[Y2] writes are on the disk when they are answered: write-ahead log, full synchronisation", async () => {
  using at = temporaryDirectory();
  const database = openDatabase(at.path);
  const store = createSqliteStore(database, systemClock);
  const settings = ["journal_mode", "synchronous"].map((name) => {
    const row = database.query<Record<string, unknown>, []>(`PRAGMA ${name}`).get() ?? {};
    return Object.values(row)[0];
  });
  expect(settings).toEqual(["wal", 2]);
  await store.close();
});

test("[Y2] noting uses leaves the settings that revocations rely on", async () => {
  using at = temporaryDirectory();
  const database = openDatabase(at.path);
  const store = createSqliteStore(database, systemClock);
  await store.touch(new Map([["nobody", 1]]));
  expect(database.query("PRAGMA synchronous").get()).toEqual({ synchronous: 2 });
  // SQLite's own patience stops everything else: the store has to wait by the clock (sqlite-locked.test.ts).
  expect(database.query("PRAGMA busy_timeout").get()).toEqual({ timeout: 0 });
  await store.close();
});

test.each([
  ["text", (file: string) => writeFileSync(file, "these are not the keys you are looking for ".repeat(500))],
  ["emptied", (file: string) => truncateSync(file, 0)],
  ["cut", (file: string) => truncateSync(file, 4_096)],
  ["overwritten in the middle", (file: string) => overwrite(file, 4_096, 8_192)],
] as const)("[Y4] a file that is %s is refused by name, with what to do, and left as it is", async (_name, damage) => {
  using at = temporaryDirectory();
  const file = await fill(at.path);
  damage(file);
  const before = readFileSync(file);
  const message = await refusalOf(at.path);
  expect(message).toContain(file);
  expect(message).toMatch(/Restore it from a backup, or move it away/);
  expect(readFileSync(file).equals(before)).toBe(true);
});

test("[Y4] a database of another program, or of a newer version, is refused and left as it is", async () => {
  using at = temporaryDirectory();
  const file = await fill(at.path);
  const newer = new Database(file);
  newer.run("PRAGMA user_version = 99");
  newer.close();
  expect(await refusalOf(at.path)).toMatch(
    /modelrelay\.db was written by a newer version of ModelRelay \(schema 99, .*\)\. Start that version/,
  );
  rmSync(file);
  const foreign = new Database(file);
  foreign.run("CREATE TABLE notes (text)");
  foreign.close();
  expect(await refusalOf(at.path)).toContain("is not a database of ModelRelay");
});

test("[Y4] a main file that is gone while its log is there is not made anew", async () => {
  using at = temporaryDirectory();
  writeFileSync(`${databaseFileIn(at.path)}-wal`, "something");
  expect(await refusalOf(at.path)).toContain("-wal is there, but");
  expect(existsSync(databaseFileIn(at.path))).toBe(false);
});

test("[Y4] a directory that cannot be used is refused by name with other choices", async () => {
  using at = temporaryDirectory();
  writeFileSync(join(at.path, "file"), "");
  mkdirSync(databaseFileIn(join(at.path, "taken")), { recursive: true });
  const message = await refusalOf(join(at.path, "file", "state"));
  expect(message).toMatch(/file\/state\/modelrelay\.db cannot be opened .*--data-dir \(or MODELRELAY_DATA_DIR\).*--data-dir :memory:/);
  // A unit from before there was a key store has nowhere to keep one.
  if (process.platform === "linux") expect(message).toContain("StateDirectory=modelrelay");
  expect(await refusalOf(join(at.path, "taken"))).toContain("taken/modelrelay.db");
});

test("[Y5] damage that happens while it runs is told as what it is", async () => {
  using at = temporaryDirectory();
  const database = openDatabase(at.path);
  const store = createSqliteStore(database, systemClock);
  database.run("PRAGMA writable_schema = ON");
  database.run("DROP TABLE api_keys");
  expect(await failureOf(store.list())).toBeInstanceOf(StoreUnavailable);
  await store.close();
});

test("[Y5] a database that may not grow: reading goes on, and what cannot be written says why", async () => {
  using at = temporaryDirectory();
  const database = openDatabase(at.path);
  const store = createSqliteStore(database, systemClock);
  const made = makeKey();
  await store.insert(made);
  database.run("PRAGMA max_page_count = 1");
  const error = await failureOf(insertUntilFull(store));
  expect(error).toMatchObject({ name: "StoreUnavailable", reason: "The disk that holds the key database is full." });
  expect((await store.findByDigest(made.digest))?.key).toEqual(made.key);
  await store.close();
});

test.skipIf(!canMount())(
  "[Y5] [Y6] on a disk that is really full keys keep working, a revocation holds, and is written when there is room",
  async () => {
    using at = temporaryDirectory();
    const mount = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", at.path]);
    expect(mount.exitCode).toBe(0);
    try {
      const store = openSqliteStore(at.path, systemClock);
      await using rig = await startRigOn(store);
      const [kept, revoked] = [await rig.ring.create(plainTerms("kept")), await rig.ring.create(plainTerms("revoked"))];
      const filler = join(at.path, "filler");
      expect(() => writeFileSync(filler, new Uint8Array(1_048_576))).toThrow("ENOSPC");
      expect(await failureOf(insertUntilFull(store))).toMatchObject({ reason: "The disk that holds the key database is full." });
      expect(await failureOf(rig.ring.create(plainTerms("new")))).toBeInstanceOf(StoreUnavailable);
      expect(await failureOf(rig.ring.revoke(revoked.key.id))).toBeInstanceOf(StoreUnavailable);
      expect([rig.ring.peek(kept.secret)?.kind, rig.ring.peek(revoked.secret)?.kind]).toEqual(["key", "revoked"]);
      rmSync(filler);
      await rig.pass(REVOCATION_RETRY_MS);
      expect((await store.list()).find(({ key }) => key.id === revoked.key.id)?.key.revokedAt).not.toBeNull();
      await rig.ring.stop();
      await store.close();
    } finally {
      Bun.spawnSync(["umount", "-l", at.path]);
    }
  },
);

/** Any room that is left is used up soon. */
async function insertUntilFull(store: KeyStore): Promise<void> {
  for (let key = 0; key < 1_000; key++) await store.insert(makeKey());
}

function overwrite(file: string, from: number, to: number): void {
  const bytes = readFileSync(file);
  bytes.fill(0xa5, from, to);
  writeFileSync(file, bytes);
}

function canMount(): boolean {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  using at = temporaryDirectory();
  const isMounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", at.path]).exitCode === 0;
  if (isMounted) Bun.spawnSync(["umount", "-l", at.path]);
  return isMounted;
}
