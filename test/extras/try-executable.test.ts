// The script that tries a released executable, on machines that differ in the program they have for checksums.
import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "./dockerfile.ts";

const FOLDER = mkdtempSync(join(tmpdir(), "try-executable-"));
afterAll(() => rmSync(FOLDER, { recursive: true }));

// Stands for the executable: says its version, and which words it was given.
const EXECUTABLE = '#!/usr/bin/env bash\n[ "$1" = --version ] && echo "modelrelay 1.2.3 (abc1234, test)" || echo "ran $*"\n';
const NAME = "modelrelay-linux-x64";
const TOOLS = ["sha256sum", "shasum"].filter((tool) => Bun.which(tool) !== null);
if (TOOLS.length < 2) console.warn("the tests of .ci/try-executable need sha256sum and shasum, and leave out the one that is missing");

test.each(TOOLS)("[I6] with %s alone, what was built is run, and what was changed on the way is not", (tool) => {
  const path = pathWith(tool);
  expect(tryExecutable("whole", path, digestOf(EXECUTABLE))).toEqual({
    code: 0,
    out: `${NAME}: OK\nmodelrelay 1.2.3 (abc1234, test)\nran up --demo --once\n`,
  });
  const changed = tryExecutable("changed", path, digestOf(`${EXECUTABLE}\n`));
  expect({ ...changed, code: changed.code > 0 }).toEqual({ code: true, out: `${NAME}: FAILED\n` });
});

test("[I6] without a program for checksums, or a line for the file, nothing is run", () => {
  expect(tryExecutable("unchecked", pathWith(), digestOf(EXECUTABLE))).toEqual({ code: 127, out: "" });
  const unlisted = tryExecutable("unlisted", pathWith(...TOOLS), digestOf(EXECUTABLE), "modelrelay-linux-x64-musl");
  expect({ ...unlisted, code: unlisted.code > 0 }).toEqual({ code: true, out: "" });
});

/** A folder of programs with nothing in it but what the script needs, and these. */
function pathWith(...tools: readonly string[]): string {
  const folder = join(FOLDER, ["path", ...tools].join("-"));
  mkdirSync(folder, { recursive: true });
  for (const program of ["bash", "chmod", "dirname", "grep", ...tools]) {
    rmSync(join(folder, program), { force: true });
    symlinkSync(Bun.which(program)!, join(folder, program));
  }
  return folder;
}

function digestOf(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

function tryExecutable(folder: string, path: string, digest: string, listed = NAME): { readonly code: number; readonly out: string } {
  const dist = join(FOLDER, folder);
  mkdirSync(dist, { recursive: true });
  writeFileSync(join(dist, NAME), EXECUTABLE);
  chmodSync(join(dist, NAME), 0o644);
  writeFileSync(join(dist, "SHA256SUMS"), `${digest}  ${listed}\n`);
  const child = Bun.spawnSync(["/usr/bin/env", "bash", join(ROOT, ".ci/try-executable"), join(dist, NAME), "1.2.3"], {
    env: { PATH: path },
  });
  return { code: child.exitCode, out: child.stdout.toString() };
}
