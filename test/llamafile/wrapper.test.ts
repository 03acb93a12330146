// extras/modelrelay-llamafile: the short name finds the program and hands it everything.
import { expect, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

const SCRIPT = join(import.meta.dir, "../../extras/modelrelay-llamafile");

class Place implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "wrapper-"));
  readonly bin = join(this.folder, "bin");

  constructor() {
    mkdirSync(this.bin);
    // What the script itself needs, and nothing else.
    for (const tool of ["sh", "dirname", "readlink", "cat"]) symlinkSync(Bun.which(tool) ?? tool, join(this.bin, tool));
  }

  /** A program that says how it was called. */
  puts(path: string): void {
    writeFileSync(path, '#!/bin/sh\necho "$(basename "$0")" "$#" "$@"\n'.replace('$(basename "$0")', path));
    chmodSync(path, 0o755);
  }

  run(script: string, ...args: readonly string[]) {
    const env = { PATH: this.bin, HOME: this.folder, MODELRELAY_HOME: join(this.folder, "home") };
    const { exitCode, stdout, stderr } = Bun.spawnSync([script, ...args], { env });
    return { code: exitCode, out: stdout.toString(), err: stderr.toString() };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

test("[F22] the program beside it comes first, then the one on the PATH; every word is handed on as it is", () => {
  using place = new Place();
  const copy = join(place.folder, "modelrelay-llamafile");
  copyFileSync(SCRIPT, copy);
  chmodSync(copy, 0o755);
  const onPath = join(place.bin, "modelrelay");
  place.puts(onPath);
  expect(place.run(copy, "logs", "a b", "-f", "")).toEqual({ code: 0, out: `${onPath} 5 llamafile logs a b -f \n`, err: "" });
  const beside = join(place.folder, "modelrelay");
  place.puts(beside);
  expect(place.run(copy, "list").out).toBe(`${beside} 2 llamafile list\n`);
  // Called by a link elsewhere, "beside" is still where the script is.
  const link = join(place.bin, "llama");
  symlinkSync(copy, link);
  expect(place.run(link, "list").out).toBe(`${beside} 2 llamafile list\n`);
});

test("[F22] from the checkout it runs by Bun; help lists the commands", () => {
  using place = new Place();
  symlinkSync(process.execPath, join(place.bin, basename("bun")));
  const helped = place.run(SCRIPT, "help");
  expect(helped.err).toBe("");
  expect(helped.out).toContain("Usage: modelrelay llamafile <command> [flags]");
  expect(helped.code).toBe(0);
  expect(place.run(SCRIPT, "serve").code).toBe(2);
});

test("[F22] without the program it says what to do", () => {
  using place = new Place();
  const { code, err } = place.run(SCRIPT, "list");
  expect(err).toContain(`the program 'modelrelay' is not found: not in ${dirname(SCRIPT)}, and not on the PATH`);
  expect(code).toBe(127);
});
