// Opening the SQLite file so that it is ours, whole, private and durable, or not at all: never an empty one in place of a damaged one.
import { Database } from "bun:sqlite";
import { chmodSync, closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { UsageError } from "../base/errors.ts";
import { APPLICATION_ID, applicationIdOf, migrate, SCHEMA_VERSION, schemaVersionOf } from "./sqlite-schema.ts";

/** In place of a directory: nothing is kept after the process. */
export const IN_MEMORY = ":memory:";

/** How long opening waits for the writer of another process. Nothing else runs meanwhile; there is nothing yet that could. */
const OPENING_BUSY_TIMEOUT_MS = 5_000;

export function databaseFileIn(dataDir: string): string {
  return join(dataDir, "modelrelay.db");
}

/** @throws UsageError that names the file and what to do. */
export function openDatabase(dataDir: string): Database {
  if (dataDir === IN_MEMORY) return configure(new Database(IN_MEMORY, { strict: true }));
  const file = databaseFileIn(dataDir);
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    if (!existsSync(file)) createFile(file);
    keepPrivate(file);
    const database = new Database(file, { readwrite: true, strict: true });
    try {
      database.run(`PRAGMA busy_timeout = ${OPENING_BUSY_TIMEOUT_MS}`);
      checkOurs(database, file);
      return configure(database);
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(adviceFor(codeOf(error), file));
  }
}

export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/**
 * A file appears under its name only once its tables are in it. So a file without them was not left by a crash of ours,
 * and two relays that start at once agree on one file.
 */
function createFile(file: string): void {
  if (existsSync(`${file}-wal`)) throw new UsageError(`${file}-wal is there, but ${file} itself is missing. ${RESTORE}`);
  const draft = `${file}.${crypto.randomUUID()}.new`;
  try {
    closeSync(openSync(draft, "wx", 0o600));
    const database = new Database(draft, { readwrite: true, strict: true });
    try {
      configure(database);
    } finally {
      database.close();
    }
    publish(draft, file);
    syncDirectory(dirname(file));
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Gives the draft its name, unless another relay was faster. Some file systems have no hard links. */
function publish(draft: string, file: string): void {
  try {
    linkSync(draft, file);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") renameSync(draft, file);
  }
}

/** Without this the file's name may be gone after a power failure, and with it every key. */
function syncDirectory(path: string): void {
  if (process.platform === "win32") return;
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** A file that was copied here may be readable by others. SQLite gives its side files the same mode. */
function keepPrivate(file: string): void {
  try {
    chmodSync(file, 0o600);
  } catch (error) {
    // Not the owner: whether the file can be used is for the next step to find out.
    if (codeOf(error) !== "EPERM") throw error;
  }
}

function checkOurs(database: Database, file: string): void {
  const version = schemaVersionOf(database);
  if (applicationIdOf(database) !== APPLICATION_ID) {
    throw new UsageError(`${file} is not a database of ModelRelay, or an emptied one. ${RESTORE}`);
  }
  if (version > SCHEMA_VERSION) {
    throw new UsageError(
      `${file} was written by a newer version of ModelRelay (schema ${version}, this one knows ${SCHEMA_VERSION}). ` +
        "Start that version, or restore a copy of the file from before the upgrade.",
    );
  }
  const found = database.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").get()?.quick_check;
  if (found !== "ok") throw new UsageError(adviceFor("SQLITE_CORRUPT", file));
}

function configure(database: Database): Database {
  database.run(`PRAGMA busy_timeout = ${OPENING_BUSY_TIMEOUT_MS}`);
  database.run("PRAGMA journal_mode = WAL");
  database.run("PRAGMA synchronous = FULL");
  // Only macOS knows the difference: there a plain fsync may leave data in the drive's cache.
  database.run("PRAGMA fullfsync = ON");
  database.run("PRAGMA trusted_schema = OFF");
  migrate(database);
  return database;
}

const RESTORE =
  "Restore it from a backup, or move it away (with its -wal and -shm files) to start without any keys: those made so far will then be refused.";

function adviceFor(code: string, file: string): string {
  if (code === "SQLITE_NOTADB" || code.startsWith("SQLITE_CORRUPT")) return `${file} is damaged. ${RESTORE}`;
  if (code === "SQLITE_FULL" || code === "ENOSPC") {
    return `${file} cannot be opened because its disk is full. Free some space, or choose another directory with --data-dir.`;
  }
  if (code.startsWith("SQLITE_BUSY")) return `${file} is locked by another program. Stop that program, then start again.`;
  const reason = code === "" ? "unknown reason" : code;
  const ofUnits = process.platform === "linux" ? ", in a unit of systemd with StateDirectory=modelrelay" : "";
  return (
    `the key database ${file} cannot be opened or created (${reason}). Let this user write to that directory, ` +
    `choose another with --data-dir (or MODELRELAY_DATA_DIR)${ofUnits}, or use --data-dir :memory: to keep nothing.`
  );
}
