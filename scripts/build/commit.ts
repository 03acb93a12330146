// Which commit an executable says it was built from.
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The short id of the commit, with `-dirty` when the tree has changes on top of it. Where there is no repository (an archive, the
 * context of a container build) MODELRELAY_COMMIT says it, which wins everywhere; else `unknown`.
 */
export function commitOf(env: Environment, root: string = ROOT): string {
  const told = env["MODELRELAY_COMMIT"]?.trim() ?? "";
  if (told !== "") return told;
  const id = git(root, "rev-parse", "--short=7", "HEAD");
  if (id === null || git(root, "rev-parse", "--show-prefix") !== "") return "unknown";
  return git(root, "status", "--porcelain") === "" ? id : `${id}-dirty`;
}

/** What git printed; null: it failed, or there is no git. */
function git(root: string, ...args: readonly string[]): string | null {
  try {
    const done = Bun.spawnSync(["git", "-C", root, ...args], { stdio: ["ignore", "pipe", "ignore"] });
    return done.exitCode === 0 ? done.stdout.toString().trim() : null;
  } catch {
    return null;
  }
}
