// Locks between processes. The operating system gives one back when its holder dies, however it dies, so none is ever stale.
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { cannotWrite } from "./disk.ts";
import { ensureDirectory, type Home } from "./home.ts";
import { CommandError } from "../base/errors.ts";
import { reasonOf } from "./reason.ts";

export interface Lock extends Disposable {
  release(): void;
}

/** Null when another process (or another part of this one) holds it. @throws CommandError when there can be no lock */
export function tryLock(home: Home, name: string, waitMs = 0): Lock | null {
  ensureDirectory(home.locks);
  const path = join(home.locks, `${name}.lock`);
  let database: Database | null = null;
  try {
    // An SQLite file, for its portable locks only: nothing is ever written to it.
    database = new Database(path, { create: true, strict: true });
    database.run(`PRAGMA busy_timeout = ${waitMs}`);
    database.run("BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    if (reasonOf(error).startsWith("SQLITE_BUSY")) return null;
    throw cannotWrite(path, error);
  }
  const held = database;
  const release = (): void => held.close();
  return { release, [Symbol.dispose]: release };
}

/** For changes that take a moment: waits for whoever makes one. @throws CommandError when it takes too long */
export function lockBriefly(home: Home, name: string): Lock {
  const lock = tryLock(home, name, BRIEFLY_MS);
  if (lock === null)
    throw new CommandError(`another modelrelay has been busy with ${join(home.root, name)} for ${BRIEFLY_MS / 1000} s; try again`);
  return lock;
}

// Whoever holds such a lock writes one small file.
const BRIEFLY_MS = 5_000;
