// Other machines on this one: arm64 by qemu, Windows by wine. What is missing for them is said once; with CI=true it fails a test.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { within } from "../support/until.ts";
import type { Machine } from "./cast.ts";

/** An emulated processor is some ten times slower. */
const PATIENCE_MS = 60_000;
/** A new Windows is set up: its registry, its services, its folders. */
export const WINDOWS_LIMIT_MS = 120_000;

const MINGW = "x86_64-w64-mingw32-gcc";
const ARM64_LIBRARIES = "/usr/aarch64-linux-gnu";
const WINE = ["/usr/lib/wine/wine64", Bun.which("wine64") ?? "", Bun.which("wine") ?? ""].find((path) => path !== "" && existsSync(path));
const WINE_SERVER = ["/usr/lib/wine/wineserver", Bun.which("wineserver") ?? ""].find((path) => path !== "" && existsSync(path));

/** Why arm64 cannot be run here; null: it can. */
export const ARM64_MISSING: string | null = whyNoArm64();
/** Why Windows programs cannot be run here; null: they can. */
export const WINDOWS_MISSING: string | null = whyNoWindows();

if (ARM64_MISSING !== null) console.warn(`\nWARNING: the executable for linux-arm64 is not run: ${ARM64_MISSING}\n`);
if (WINDOWS_MISSING !== null) console.warn(`\nWARNING: the executable for windows-x64 is not run: ${WINDOWS_MISSING}\n`);

export function arm64(executable: string): Machine {
  return { program: { command: ["qemu-aarch64-static", "-L", ARM64_LIBRARIES, executable], patienceMs: PATIENCE_MS } };
}

/** A Windows of the tests' own, in a folder of its own. */
export class Windows implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async start(): Promise<Windows> {
    const folder = mkdtempSync(join(tmpdir(), "modelrelay-windows-"));
    const windows = new Windows(folder);
    try {
      await windows.#setUp();
      return windows;
    } catch (error) {
      await windows[Symbol.asyncDispose]();
      throw error;
    }
  }

  machine(executable: string): Machine {
    return { program: { command: [WINE!, executable], cwd: this.#folder, patienceMs: PATIENCE_MS }, env: this.#env };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const server = Bun.spawn([WINE_SERVER!, "-k", "-w"], { env: this.#env, stdio: ["ignore", "ignore", "ignore"], timeout: PATIENCE_MS });
    await within(server.exited, "wine ends", PATIENCE_MS);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #env(): Readonly<Record<string, string>> {
    return {
      PATH: process.env["PATH"] ?? "",
      HOME: this.#folder,
      // Its server leaves a lock there.
      TMPDIR: this.#folder,
      WINEPREFIX: join(this.#folder, "prefix"),
      // No downloads of what .NET and HTML would need, no entries in this desktop's menus.
      // Else it finds no file below a folder with letters beyond ASCII.
      LC_ALL: "C.UTF-8",
      WINEDLLOVERRIDES: "mscoree,mshtml,winemenubuilder.exe=",
      WINEDEBUG: "-all",
    };
  }

  async #setUp(): Promise<void> {
    this.#makeRandomSource();
    const boot = Bun.spawn([WINE!, "wineboot", "-i"], { env: this.#env, stdio: ["ignore", "ignore", "ignore"], timeout: WINDOWS_LIMIT_MS });
    if ((await boot.exited) !== 0) throw new Error("wineboot failed");
  }

  /** Windows 10 has bcryptprimitives.dll, Debian's wine does not: the one function of it that the runtime calls. */
  #makeRandomSource(): void {
    const source = join(this.#folder, "random.c");
    writeFileSync(
      source,
      `#include <windows.h>
BOOLEAN WINAPI SystemFunction036(PVOID buffer, ULONG length);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) { return SystemFunction036(data, (ULONG)size); }
`,
    );
    const flags = ["-shared", "-O2", "-s", "-o", join(this.#folder, "bcryptprimitives.dll"), source, "-ladvapi32"];
    const made = Bun.spawnSync([MINGW, ...flags], { stdio: ["ignore", "ignore", "pipe"] });
    if (made.exitCode !== 0) throw new Error(`bcryptprimitives.dll could not be made: ${made.stderr.toString()}`);
  }
}

function whyNoArm64(): string | null {
  if (Bun.which("qemu-aarch64-static") === null) return "there is no 'qemu-aarch64-static' (Debian: apt-get install -y qemu-user-static)";
  if (!existsSync(join(ARM64_LIBRARIES, "lib/ld-linux-aarch64.so.1"))) {
    return "there is no C library for it (Debian: apt-get install -y libc6-arm64-cross)";
  }
  return null;
}

function whyNoWindows(): string | null {
  if (WINE === undefined || WINE_SERVER === undefined) return "there is no 'wine64' (Debian: apt-get install -y wine64)";
  if (Bun.which(MINGW) === null) return `there is no '${MINGW}' (Debian: apt-get install -y gcc-mingw-w64-x86-64-win32)`;
  return null;
}
