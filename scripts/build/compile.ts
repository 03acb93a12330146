// Makes one executable: the program and its runtime in one file, for this machine or another.
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { signMachO } from "./mach-o.ts";
import type { Target } from "./targets.ts";

export interface Plan {
  readonly target: Target;
  /** What `--version` says it was built from. */
  readonly commit: string;
  /** The file to be written. */
  readonly into: string;
}

const ROOT = join(import.meta.dir, "../..");
// A runtime of 40 MiB may have to be fetched first.
const COMPILE_LIMIT_MS = 180_000;

// What is not obvious: splitting keeps each command's code unread until that command runs; bytecode without `format` makes executables
// that crash; nothing may be taken from the directory the program is started in; names are not shortened, as stack traces are read by people.
const FLAGS = [
  "--compile",
  "--minify-syntax",
  "--minify-whitespace",
  '--define=process.env.NODE_ENV="production"',
  "--sourcemap",
  "--splitting",
  "--bytecode",
  "--format=esm",
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  "--no-compile-autoload-tsconfig",
  "--no-compile-autoload-package-json",
];

/** @throws Error with the compiler's own words */
export async function compile({ target, commit, into }: Plan): Promise<void> {
  // The compiler leaves source maps beside what it makes: only the executable leaves this folder.
  const scratch = mkdtempSync(join(tmpdir(), "modelrelay-build-"));
  try {
    // The same name for all: it is part of the bytes.
    const outfile = join(scratch, target.name.startsWith("windows") ? "modelrelay.exe" : "modelrelay");
    await runCompiler(target, commit, outfile);
    if (target.name.startsWith("darwin")) await Bun.write(outfile, signMachO(await Bun.file(outfile).bytes()));
    chmodSync(outfile, 0o755);
    moveInto(outfile, into);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function runCompiler(target: Target, commit: string, outfile: string): Promise<void> {
  const facts = { MODELRELAY_COMMIT: commit, MODELRELAY_TARGET: target.name };
  const defines = Object.entries(facts).map(([name, value]) => `--define=${name}=${JSON.stringify(value)}`);
  const main = join(ROOT, "src/main.ts");
  const child = Bun.spawn([process.execPath, "build", ...FLAGS, ...defines, `--target=bun-${target.name}`, `--outfile=${outfile}`, main], {
    cwd: ROOT,
    env: { ...process.env, BUN_OPTIONS: "" },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: COMPILE_LIMIT_MS,
  });
  const [said, complained, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0 || !(await Bun.file(outfile).exists())) {
    const words = `${complained}${said}`.trim() || (child.signalCode === null ? "it said nothing" : "it took too long");
    throw new Error(`${target.name} could not be compiled: ${words}`);
  }
}

/** In one step for whoever looks at `into`, also while an executable of that name runs. */
function moveInto(file: string, into: string): void {
  mkdirSync(dirname(into), { recursive: true });
  const near = `${into}.${process.pid}.new`;
  copyFileSync(file, near);
  renameSync(near, into);
}
