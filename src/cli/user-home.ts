// The home directory of who runs this; a numbered user of a container may have none.
import { homedir } from "node:os";
import { isAbsolute } from "node:path";

/** Null where neither HOME nor the system knows one. */
export function userHome(ask: () => string = homedir): string | null {
  try {
    const home = ask();
    return isAbsolute(home) ? home : null;
  } catch {
    return null;
  }
}

/** A place that may be below the user's home; null: it would be, and there is none. */
export function placeBelow(find: (home: string) => string, home: string | null = userHome()): string | null {
  const place = find(home ?? "");
  return isAbsolute(place) ? place : null;
}
