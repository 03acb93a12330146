// Where a relay keeps its state when nobody says otherwise.
import { posix, win32 } from "node:path";

export interface DataDirWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  /** The user's home directory, for where the environment does not name one. */
  readonly home: string;
}

/**
 * 1. what a service manager gives (systemd's StateDirectory=; of several, the first)
 * 2. Windows: the user's local application data
 * 3. macOS: Application Support
 * 4. elsewhere the XDG state directory, which has to be absolute to count
 */
export function defaultDataDir({ env, platform, home }: DataDirWorld): string {
  const given = env["STATE_DIRECTORY"]?.split(":")[0] ?? "";
  if (given !== "" && platform !== "win32") return given; // (1)
  if (platform === "win32") {
    const local = env["LOCALAPPDATA"] ?? "";
    return win32.join(local === "" ? win32.join(home, "AppData", "Local") : local, NAME); // (2)
  }
  if (platform === "darwin") return posix.join(home, "Library", "Application Support", NAME); // (3)
  const state = env["XDG_STATE_HOME"] ?? "";
  return posix.join(posix.isAbsolute(state) ? state : posix.join(home, ".local", "state"), NAME); // (4)
}

const NAME = "modelrelay";
