// `bun run build`: the executables that are given to users, and their checksums, in dist/. See docs/platforms.md.
import { resolve } from "node:path";
import { UsageError } from "../src/base/errors.ts";
import { writeChecksums } from "./build/checksums.ts";
import { commitOf } from "./build/commit.ts";
import { compile } from "./build/compile.ts";
import { type BuildOptions, parseOptions, USAGE } from "./build/options.ts";
import { targetHere } from "./build/targets.ts";

process.exitCode = await main(process.argv.slice(2));

/** Returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(USAGE);
    return 0;
  }
  try {
    await build(parseOptions(args));
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    if (!(error instanceof UsageError)) return 1;
    console.error(USAGE);
    return 2;
  }
}

async function build({ targets, outDir }: BuildOptions): Promise<void> {
  const commit = commitOf(process.env);
  if (targets === "here") {
    const target = targetHere();
    if (target === null) throw new Error(`there is no executable for this machine (${process.platform}, ${process.arch})`);
    const into = resolve(outDir, process.platform === "win32" ? "modelrelay.exe" : "modelrelay");
    await compile({ target, commit, into });
    console.log(into);
    return;
  }
  // One after the other: each takes half a gigabyte of memory.
  for (const target of targets) {
    const into = resolve(outDir, target.file);
    await compile({ target, commit, into });
    console.log(into);
  }
  await writeChecksums(resolve(outDir));
}
