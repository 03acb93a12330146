// A disk of its own with little room, which only root on Linux can make.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CliResult, runCli } from "../cli/run-cli.ts";

export class SmallDisk implements Disposable {
  static readonly isPossible = canMount();

  readonly path = mkdtempSync(join(tmpdir(), "disk-"));
  readonly #isMounted: boolean;

  constructor(size = "256k") {
    this.#isMounted = mount(`size=${size}`, this.path);
  }

  /** So that this much is left, or nothing. */
  fill(): void {
    try {
      writeFileSync(join(this.path, "filler"), new Uint8Array(1_048_576));
    } catch {
      return;
    }
    throw new Error("there is more room than a small disk has");
  }

  makeReadOnly(): void {
    if (!mount("remount,ro", this.path)) throw new Error(`${this.path} cannot be made read-only`);
  }

  /** `llamafile` with these words, by somebody whose home directory is this disk. */
  async run(...words: readonly string[]): Promise<CliResult> {
    return await runCli(["llamafile", ...words], { HOME: this.path });
  }

  [Symbol.dispose](): void {
    if (this.#isMounted) unmount(this.path);
    rmSync(this.path, { recursive: true });
  }
}

function canMount(): boolean {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  const path = mkdtempSync(join(tmpdir(), "disk-"));
  const isMounted = mount("size=256k", path);
  if (isMounted) unmount(path);
  rmSync(path, { recursive: true });
  return isMounted;
}

function mount(options: string, path: string): boolean {
  return Bun.spawnSync(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path]).exitCode === 0;
}

function unmount(path: string): void {
  Bun.spawnSync(["umount", "-l", path]);
}
