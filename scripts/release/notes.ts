// What a release is called and what is said of it, from its tag and the changelog.
import { UsageError } from "../../src/base/errors.ts";

interface Sources {
  /** As in package.json. */
  readonly version: string;
  /** The text of docs/changelog.md. */
  readonly changelog: string;
}

/** The changelog's section for the tag. @throws UsageError when the tag is not this version's, or the changelog has nothing for it */
export function releaseNotes(tag: string, { version, changelog }: Sources): string {
  if (tag !== `v${version}`) {
    throw new UsageError(`the tag is ${tag} and package.json says ${version}: tag v${version}, or change the version first`);
  }
  const lines = changelog.split("\n");
  const from = lines.findIndex((line) => line === `## ${version}` || line.startsWith(`## ${version} `));
  if (from === -1) throw new UsageError(`docs/changelog.md has no section '## ${version}': say there what is new`);
  const length = lines.slice(from + 1).findIndex((line) => line.startsWith("## "));
  const notes = lines
    .slice(from + 1, length === -1 ? undefined : from + 1 + length)
    .join("\n")
    .trim();
  if (notes === "") throw new UsageError(`docs/changelog.md says nothing in its section '## ${version}': say there what is new`);
  return notes;
}
