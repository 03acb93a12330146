// The program as its users have it: compiled for this machine, once for all tests that run it, and anew whenever its sources change.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { compile } from "../../scripts/build/compile.ts";
import { targetHere } from "../../scripts/build/targets.ts";

const ROOT = join(import.meta.dir, "../..");
const MADE = join(ROOT, "dist/for-tests");
/** Of each kind; test runs beside this one may still use theirs. */
const KEPT = 3;

let built: Promise<string> | null = null;

/**
 * The path of an executable made from the sources as they are now, called `modelrelay` (`modelrelay.exe`). It takes some seconds when
 * the sources have changed. `--version` says commit `for-tests`.
 */
export function builtExecutable(): Promise<string> {
  built ??= build();
  return built;
}

async function build(): Promise<string> {
  const target = targetHere();
  if (target === null) throw new Error(`there is no executable for ${process.platform} ${process.arch}`);
  const name = process.platform === "win32" ? "modelrelay.exe" : "modelrelay";
  const folder = await madeFromSources(
    "executable",
    async (into) => await compile({ target, commit: "for-tests", into: join(into, name) }),
  );
  return join(folder, name);
}

/** A folder that `make` has filled; the one of an earlier run where nothing has changed since. */
export async function madeFromSources(kind: string, make: (into: string) => Promise<void>): Promise<string> {
  const folder = join(MADE, `${kind}-${digestOfSources()}`);
  if (!existsSync(folder)) {
    const unfinished = `${folder}.${process.pid}`;
    mkdirSync(unfinished, { recursive: true });
    await make(unfinished);
    // Another run may have been faster.
    if (existsSync(folder)) rmSync(unfinished, { recursive: true, force: true });
    else renameSync(unfinished, folder);
  }
  const now = new Date();
  utimesSync(folder, now, now);
  forgetOldOnes(kind);
  return folder;
}

/** Everything an executable is made of: same digest, same program. */
function digestOfSources(): string {
  const hash = new Bun.CryptoHasher("sha256");
  hash.update(Bun.version);
  const paths = ["src/**/*", "scripts/build/*"].flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: ROOT })]);
  for (const path of [...paths, "scripts/build.ts", "package.json", "bun.lock", "tsconfig.json"].sort()) {
    hash.update(`\n${path}\n`);
    hash.update(readFileSync(join(ROOT, path)));
  }
  return hash.digest("hex").slice(0, 16);
}

function forgetOldOnes(kind: string): void {
  const folders = readdirSync(MADE).flatMap((name) => (name.startsWith(`${kind}-`) ? [join(MADE, name)] : []));
  const newestFirst = folders.map((path) => ({ path, at: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }));
  newestFirst.sort((a, b) => b.at - a.at);
  for (const { path } of newestFirst.slice(KEPT)) rmSync(path, { recursive: true, force: true });
}
