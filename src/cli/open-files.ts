// How many files this process may have open at once; sockets are files too.
import { readFileSync } from "node:fs";

/** Null where the system does not say; only Linux does. The runtime has raised it as far as it may. */
export function openFilesLimit(): number | null {
  try {
    const [, soft] = /^Max open files +(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    if (soft === undefined) return null;
    return soft === "unlimited" ? Infinity : Number(soft);
  } catch {
    return null;
  }
}
