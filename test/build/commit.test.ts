// What an executable says it was built from.
import { afterEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commitOf } from "../../scripts/build/commit.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "modelrelay-commit-"));
  folders.push(folder);
  return folder;
}

function git(folder: string, ...args: readonly string[]): string {
  const identity = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"];
  const done = Bun.spawnSync(["git", "-C", folder, ...identity, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  expect(done.exitCode).toBe(0);
  return done.stdout.toString().trim();
}

test("[E3] the commit is git's, and -dirty with changes on top of it, new files included", () => {
  const folder = newFolder();
  git(folder, "init", "-q");
  writeFileSync(join(folder, "file"), "one");
  git(folder, "add", "file");
  git(folder, "commit", "-q", "-m", "one");
  const id = git(folder, "rev-parse", "HEAD").slice(0, 7);
  expect(commitOf({}, folder)).toBe(id);
  writeFileSync(join(folder, "new"), "new");
  expect(commitOf({}, folder)).toBe(`${id}-dirty`);
  expect(commitOf({ MODELRELAY_COMMIT: " 0123abc\n" }, folder)).toBe("0123abc");
  // Sources unpacked into somebody else's repository are not of its commits.
  mkdirSync(join(folder, "inside"));
  expect(commitOf({}, join(folder, "inside"))).toBe("unknown");
});

test("[E3] without a repository it is what MODELRELAY_COMMIT says, or unknown", () => {
  const folder = newFolder();
  expect(commitOf({}, folder)).toBe("unknown");
  expect(commitOf({ MODELRELAY_COMMIT: "" }, folder)).toBe("unknown");
  expect(commitOf({ MODELRELAY_COMMIT: "0123abc" }, folder)).toBe("0123abc");
});
