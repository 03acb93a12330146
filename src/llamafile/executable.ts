// What kind of program a file is, told by its first bytes, and how this platform starts it.
import { closeSync, openSync, readSync } from "node:fs";
import { CommandError } from "../base/errors.ts";
import { reasonOf } from "./reason.ts";

/** `ape`: the format of llamafiles, one file for every system. */
export type ExecutableKind = "ape" | "script" | "elf" | "mach-o" | "windows";

/** Null: it is no program. @throws CommandError when it cannot be read */
export function executableKind(path: string): ExecutableKind | null {
  const head = firstBytes(path);
  const text = head.toString("latin1");
  if (text.startsWith("MZqFpD=") || text.startsWith("jartsr=")) return "ape";
  if (text.startsWith("#!")) return "script";
  if (text.startsWith("\u007fELF")) return "elf";
  if (head.length >= 4 && MACH_O.has(head.readUInt32BE(0))) return "mach-o";
  return text.startsWith("MZ") ? "windows" : null;
}

/**
 * 1. Windows starts the .exe itself, up to its limit
 * 2. elsewhere the shell starts an APE: the system alone may refuse it, or hand it to Wine, as it begins like a Windows program
 * 3. anything else starts by itself
 * @throws CommandError when this platform cannot start it
 */
export function startCommand(path: string, sizeBytes: number, platform: NodeJS.Platform = process.platform): readonly string[] {
  if (platform === "win32") {
    if (sizeBytes < WINDOWS_EXECUTABLE_MAX_BYTES) return [path]; // (1)
    throw new CommandError(
      "Windows runs no executable of 4 GB or more, and this llamafile is one. Take a smaller model, run it in WSL, " +
        "or use the llamafile program with the model's weights in a file of their own",
    );
  }
  const kind = executableKind(path);
  if (kind === "ape") return ["/bin/sh", path]; // (2)
  if (kind === null) throw new CommandError(`${path} is no program: it begins like none. Download or import it again`);
  if (kind === "windows") throw new CommandError(`${path} is a program for Windows; a llamafile for every system begins otherwise`);
  return [path]; // (3)
}

export const WINDOWS_EXECUTABLE_MAX_BYTES = 4 * 1024 ** 3;
const MACH_O = new Set([0xfeedface, 0xfeedfacf, 0xcefaedfe, 0xcffaedfe, 0xcafebabe]);
const HEAD_BYTES = 8;

function firstBytes(path: string): Buffer {
  try {
    const file = openSync(path, "r");
    try {
      const head = Buffer.alloc(HEAD_BYTES);
      return head.subarray(0, readSync(file, head, 0, HEAD_BYTES, 0));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw new CommandError(`${path} cannot be read (${reasonOf(error)})`);
  }
}
