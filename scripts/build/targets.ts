// The machines there are executables for, and what each executable is called.
import { existsSync } from "node:fs";

export interface Target {
  /** As `--target` takes it and `--version` shows it. */
  readonly name: string;
  /** The file's name in `dist/`. */
  readonly file: string;
}

export const TARGETS: readonly Target[] = [
  "linux-x64",
  "linux-arm64",
  "linux-x64-musl",
  "linux-arm64-musl",
  "darwin-x64",
  "darwin-arm64",
  "windows-x64",
  "windows-arm64",
].map((name) => ({ name, file: `modelrelay-${name}${name.startsWith("windows") ? ".exe" : ""}` }));

/** The target of the machine this runs on; null: there is none for it. */
export function targetHere(): Target | null {
  const system = process.platform === "win32" ? "windows" : process.platform;
  const libc = system === "linux" && isMusl() ? "-musl" : "";
  return TARGETS.find((target) => target.name === `${system}-${process.arch}${libc}`) ?? null;
}

/** A machine can have both C libraries; the one Bun runs with decides, and only where it is musl is there no glibc loader. */
function isMusl(): boolean {
  const [machine, glibc] = process.arch === "x64" ? ["x86_64", "/lib64/ld-linux-x86-64.so.2"] : ["aarch64", "/lib/ld-linux-aarch64.so.1"];
  return existsSync(`/lib/ld-musl-${machine}.so.1`) && !existsSync(glibc);
}
