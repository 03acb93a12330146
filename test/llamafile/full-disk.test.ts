// A home on a disk that is full or read-only: what is said, and the way out.
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CliResult, runCli } from "../cli/run-cli.ts";

class SmallDisk implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "disk-"));
  readonly isMounted = process.platform === "linux" && process.getuid?.() === 0 && this.#mount("size=256k");

  fill(): void {
    expect(() => writeFileSync(join(this.path, "filler"), new Uint8Array(1_048_576))).toThrow("ENOSPC");
  }

  makeReadOnly(): void {
    expect(this.#mount("remount,ro")).toBe(true);
  }

  /** `llamafile` with these words, by somebody whose home directory is this disk. */
  async run(...words: readonly string[]): Promise<CliResult> {
    return await runCli(["llamafile", ...words], { HOME: this.path });
  }

  [Symbol.dispose](): void {
    if (this.isMounted) Bun.spawnSync(["umount", "-l", this.path]);
    rmSync(this.path, { recursive: true });
  }

  #mount(options: string): boolean {
    return Bun.spawnSync(["mount", "-t", "tmpfs", "-o", options, "tmpfs", this.path]).exitCode === 0;
  }
}

function canMount(): boolean {
  using disk = new SmallDisk();
  return disk.isMounted;
}

const SET = ["config", "set", "proxy-url", "http://127.0.0.1:18080"];
const ELSEWHERE = "give another place with --home (or MODELRELAY_HOME)\n";

test.skipIf(!canMount())("[F20] a full disk is named, with the file that did not fit on it", async () => {
  using disk = new SmallDisk();
  disk.fill();
  const { code, err } = await disk.run(...SET);
  expect(code).toBe(1);
  expect(err).toStartWith(`modelrelay: the disk at ${disk.path} is full, so ${disk.path}/.local/share/modelrelay/`);
  expect(err).toEndWith(`: make room, or ${ELSEWHERE}`);
});

test.skipIf(!canMount())("[F20] a read-only disk is named as that, whether the home is there already or not", async () => {
  using disk = new SmallDisk();
  disk.makeReadOnly();
  const fresh = await disk.run(...SET);
  expect(fresh).toMatchObject({ code: 1, err: expect.stringContaining("cannot be written (the file system is read-only, EROFS)") });
  using used = new SmallDisk();
  expect((await used.run(...SET)).code).toBe(0);
  used.makeReadOnly();
  const { code, err } = await used.run(...SET);
  expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining("cannot be written (the file system is read-only, EROFS)") });
  expect(err).toStartWith(`modelrelay: ${used.path}/.local/share/modelrelay/`);
  expect(err).toEndWith(ELSEWHERE);
});
