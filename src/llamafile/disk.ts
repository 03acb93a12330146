// Whether a disk has room for what is to come, asked before, since a full disk is everybody's; and what is said when it has none.
import { accessSync, constants, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { CommandError } from "../base/errors.ts";
import { fileTrouble } from "../base/file-trouble.ts";
import { showBytes } from "../base/quantity.ts";
import { reasonOf } from "./reason.ts";

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
    `${showBytes(neededBytes)} are still to come and the disk of ${directory} has ${showBytes(free)} free, ` +
      `of which ${showBytes(SPARE_BYTES)} are left alone; make room, or ${ELSEWHERE}`,
  );
}

/**
 * Why something below the home could not be made or changed, with the way out.
 * 1. its disk is full, or this user's share of it
 * 2. SQLite says no more than that it could not: the system says why, of the file or of its folder
 * 3. the system said why
 */
export function cannotWrite(path: string, error: unknown): CommandError {
  const reason = reasonOf(error);
  if (/^(ENOSPC|EDQUOT|SQLITE_FULL)$/.test(reason)) {
    return new CommandError(`the disk at ${diskOf(path)} is full, so ${path} cannot be written (${reason}): make room, or ${ELSEWHERE}`); // (1)
  }
  const refused = reason.startsWith("SQLITE_") ? (refusalOf(path) ?? refusalOf(dirname(path)) ?? error) : error; // (2) (3)
  return new CommandError(`${path} cannot be written (${fileTrouble(refused)}); ${ELSEWHERE}`);
}

const ELSEWHERE = "give another place with --home (or MODELRELAY_HOME)";

/** Null: it may be written to, or is not there. */
function refusalOf(path: string): unknown {
  try {
    if (statSync(path, { throwIfNoEntry: false }) !== undefined) accessSync(path, constants.W_OK);
    return null;
  } catch (error) {
    return error;
  }
}

/** Where the disk is mounted: the last folder upwards that is still of the same device. */
function diskOf(path: string): string {
  const deviceOf = (place: string) => statSync(place, { throwIfNoEntry: false })?.dev;
  let place = path;
  while (deviceOf(place) === undefined && dirname(place) !== place) place = dirname(place);
  while (dirname(place) !== place && deviceOf(dirname(place)) === deviceOf(place)) place = dirname(place);
  return place;
}

// State and logs go to the same disk.
const SPARE_BYTES = 64 * 1024 ** 2;
