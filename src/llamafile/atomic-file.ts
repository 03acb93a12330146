// Files that are either the old ones or the new ones, whatever happens in between, and that are read through a schema.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import * as v from "valibot";
import { cannotWrite } from "./disk.ts";
import { ensureDirectory } from "./home.ts";
import { CommandError } from "../base/errors.ts";
import { reasonOf } from "./reason.ts";

/** Readable by its owner alone. @throws CommandError */
export function writeAtomically(path: string, text: string): void {
  ensureDirectory(dirname(path));
  const fresh = `${path}.${process.pid}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    const file = openSync(fresh, "wx", 0o600);
    try {
      // Goes on after a write that was cut short, as the last one before a disk is full is: what is renamed is whole.
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(fresh, path);
  } catch (error) {
    removeQuietly(fresh);
    throw cannotWrite(path, error);
  }
}

/** The file's content, or null when there is no such file. @throws CommandError when it cannot be read or is something else */
export function readJsonFile<S extends v.GenericSchema>(path: string, schema: S): v.InferOutput<S> | null {
  const text = readIfThere(path);
  if (text === null) return null;
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), text);
  if (parsed.success) return parsed.output;
  throw new CommandError(`${path} is damaged: ${parsed.issues[0].message}. Remove it, and it is made anew`);
}

/** Null when there is no such file. @throws CommandError when it cannot be read */
export function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (reasonOf(error) === "ENOENT") return null;
    throw new CommandError(`${path} cannot be read (${reasonOf(error)})`);
  }
}

/** What kept the file from being written may keep it from being removed as well; the first of the two is what is told. */
export function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Told by the caller.
  }
}
