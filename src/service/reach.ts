// Whether the user of a service of the machine, who is nobody in particular, can read a file where it lies.
import { statSync } from "node:fs";
import { dirname } from "node:path";

/** False also for what is not there, and for what the units' sandboxes hide. */
export function isReadableByAll(path: string): boolean {
  return !isHidden(path) && everybodyMay(READ, path) && foldersAbove(path).every((folder) => everybodyMay(ENTER, folder));
}

/** In home and temporary directories: a unit of the machine sees none of them. */
export function isHidden(path: string): boolean {
  return /^\/(home|root|run\/user|tmp|var\/tmp)\//.test(path);
}

function everybodyMay(right: number, path: string): boolean {
  return ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & right) !== 0;
}

function foldersAbove(path: string): readonly string[] {
  const folder = dirname(path);
  return folder === path ? [] : [folder, ...foldersAbove(folder)];
}

// Of the mode's three digits the last.
const READ = 0o4;
const ENTER = 0o1;
