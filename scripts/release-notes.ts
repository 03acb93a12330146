// `bun scripts/release-notes.ts TAG`: prints what is new in that release; a tag that is not this version's is refused. See docs/releasing.md.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { UsageError } from "../src/base/errors.ts";
import { releaseNotes } from "./release/notes.ts";

process.exitCode = main(process.argv.slice(2));

/** Returns the exit code. */
function main(args: readonly string[]): number {
  const [tag] = args;
  if (tag === undefined || args.length > 1) {
    console.error("One argument is needed: the release's tag, such as v1.2.3.");
    return 2;
  }
  try {
    const changelog = readFileSync(join(import.meta.dir, "../docs/changelog.md"), "utf8");
    console.log(releaseNotes(tag, { version: manifest.version, changelog }));
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return 1;
  }
}
