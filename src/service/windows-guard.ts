// Sees to it that ordinary users get at nothing a service of Windows keeps or runs: they may make folders in ProgramData, and change files in most folders of C:\.
import { mkdirSync } from "node:fs";
import { win32 } from "node:path";
import { CommandError } from "../base/errors.ts";
import { type Access, type Security, strangeOwner, strangersWith } from "./windows-rights.ts";

/** Null: what is there cannot be asked, or nothing is there. */
export type SecurityOf = (path: string) => Security | null;

/** Something of a service that others should not be able to change, or not even read. */
export interface Guarded {
  readonly paths: readonly string[];
  readonly access: Access;
  /** Ends the warning. */
  readonly so: string;
}

/**
 * Makes a folder, or takes one that administrators made. Whose a folder is does not change when its rights do: who made it beforehand
 * stays able to read what is put there, or has put something there himself.
 * @throws CommandError when somebody else made it, or nobody can say who
 */
export function makeOwnFolder(path: string, securityOf: SecurityOf): void {
  try {
    return mkdirSync(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
    if (code !== "EEXIST") throw new CommandError(`${path} cannot be made (${code})`);
  }
  const security = securityOf(path);
  const owner = security === null ? "somebody who cannot be found out" : strangeOwner(security);
  if (owner === null) return;
  throw new CommandError(
    `${path} was not made by an administrator but by ${owner}, who could get at what is put there. ` +
      "Look at what is in it, then remove it, or take it over as docs/windows.md says, and try again",
  );
}

/** One line of warning for the first of the paths that others can get at; null when there is none. */
export function warningOf({ paths, access, so }: Guarded, securityOf: SecurityOf): string | null {
  for (const path of paths) {
    const security = securityOf(path);
    const strangers = security === null ? [] : strangersWith(access, security);
    if (strangers.length > 0) return `warning: ${path} can be ${PAST[access]} by ${strangers.join(", ")}${so}`;
  }
  return null;
}

const PAST = { change: "changed", read: "read" } as const;

/** The rights of a folder of the system's and administrators' own, for all that is in it. */
export function closingCommand(folder: string): readonly string[] {
  return ["icacls.exe", folder, "/inheritance:r", "/grant:r", "*S-1-5-18:(OI)(CI)F", "*S-1-5-32-544:(OI)(CI)F"];
}

/** Every path, and the folder it is in: who may change that one may put another file in its place. */
export function withFolders(paths: readonly string[]): readonly string[] {
  return [...new Set(paths.flatMap((path) => [path, win32.dirname(path)]))];
}
