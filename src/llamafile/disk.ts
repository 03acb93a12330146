// Whether a disk has room for what is to come; asked before, since a full disk is everybody's.
import { statfs } from "node:fs/promises";
import { CommandError } from "../base/errors.ts";
import { showBytes } from "./quantity.ts";

/** Bytes that this user may still write there. */
export async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

/** @throws CommandError when `neededBytes` would not leave some room */
export async function checkRoom(directory: string, neededBytes: number): Promise<void> {
  const free = await freeBytes(directory);
  if (neededBytes + SPARE_BYTES <= free) return;
  throw new CommandError(
    `${showBytes(neededBytes)} are still to come and the disk of ${directory} has ${showBytes(free)} free; make room, ` +
      "or give another place with --home (or MODELRELAY_HOME)",
  );
}

// State and logs go to the same disk.
const SPARE_BYTES = 64 * 1024 ** 2;
