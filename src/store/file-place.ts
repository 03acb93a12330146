// Whether a path still leads to the file that was opened there. An open file outlives its name: it takes every write, and is gone with the process.
import { type BigIntStats, statSync } from "node:fs";
import { resolve } from "node:path";
import { codeOf } from "./sqlite-file.ts";

/** To be asked for when the file has just been opened. False from the function: another file is there now, or none. */
export function watchPlace(path: string): () => boolean {
  // Windows lets nobody move or remove a file that SQLite has open.
  if (process.platform === "win32") return () => true;
  const place = resolve(path);
  const opened = identityAt(place);
  // 0 is what a file system says that has no such numbers.
  if (opened === null || opened === "unknown" || opened.ino === 0n) return () => true;
  return () => {
    const found = identityAt(place);
    return found === "unknown" || (found !== null && found.dev === opened.dev && found.ino === opened.ino);
  };
}

/** Null: nothing is there. A directory that may not be looked into, or a disk that does not answer, says nothing about it. */
function identityAt(path: string): Pick<BigIntStats, "dev" | "ino"> | "unknown" | null {
  try {
    return statSync(path, { bigint: true });
  } catch (error) {
    return ["ENOENT", "ENOTDIR"].includes(codeOf(error)) ? null : "unknown";
  }
}
