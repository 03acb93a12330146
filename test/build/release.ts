// What `bun run build` makes: all executables in one folder, built once for all test files.
import { join } from "node:path";
import { madeFromSources } from "../support/executable.ts";

export const ROOT = join(import.meta.dir, "../..");
/** Runtimes of other machines may have to be fetched first. */
export const BUILD_LIMIT_MS = 240_000;
/** What the executables of these builds say they were built from. */
export const COMMIT = "c0ffee1";

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The folder of the executables. */
export async function builtRelease(): Promise<string> {
  return await madeFromSources("release", async (into) => {
    const { code, err } = await runBuild(["--out", into]);
    if (code !== 0) throw new Error(`the build ended with ${code}: ${err}`);
  });
}

/** `bun run build` with these flags. */
export async function runBuild(flags: readonly string[]): Promise<Ended> {
  const child = Bun.spawn([process.execPath, "scripts/build.ts", ...flags], {
    cwd: ROOT,
    env: { ...process.env, MODELRELAY_COMMIT: COMMIT },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: BUILD_LIMIT_MS,
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, out, err };
}
