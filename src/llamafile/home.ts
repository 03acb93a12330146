// Where models, their state and their logs live: one directory, so that it can be moved, backed up and removed as one.
import { mkdirSync } from "node:fs";
import { join, posix, win32 } from "node:path";
import { cannotWrite } from "./disk.ts";

export interface HomeWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  /** The user's home directory, for where the environment names no other place. */
  readonly userHome: string;
}

/** The places below one home; nothing is made by asking for them. */
export interface Home {
  readonly root: string;
  readonly models: string;
  readonly state: string;
  readonly locks: string;
  readonly logs: string;
  readonly settings: string;
  /** The catalogue that `update-catalog` stored. */
  readonly catalogue: string;
  /** The models that `import` took in. */
  readonly imports: string;
}

/**
 * 1. Windows: the user's local application data
 * 2. macOS: Application Support
 * 3. elsewhere the XDG data directory, which has to be absolute to count
 */
export function defaultHome({ env, platform, userHome }: HomeWorld): string {
  if (platform === "win32") {
    const local = env["LOCALAPPDATA"] ?? "";
    return win32.join(local === "" ? win32.join(userHome, "AppData", "Local") : local, NAME); // (1)
  }
  if (platform === "darwin") return posix.join(userHome, "Library", "Application Support", NAME); // (2)
  const data = env["XDG_DATA_HOME"] ?? "";
  return posix.join(posix.isAbsolute(data) ? data : posix.join(userHome, ".local", "share"), NAME); // (3)
}

export function homeAt(root: string): Home {
  const state = join(root, "state");
  return {
    root,
    models: join(root, "models"),
    state,
    locks: join(state, "locks"),
    logs: join(root, "logs"),
    settings: join(root, "config.toml"),
    catalogue: join(root, "catalogue.json"),
    imports: join(root, "imports.json"),
  };
}

/** Logs hold what models were asked, so nobody else may read in here. @throws CommandError when it cannot be made */
export function ensureDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

const NAME = "modelrelay";
