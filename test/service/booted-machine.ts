// A machine that systemd has booted: this one's files, changed only in memory, with no network but its own loopback.
import { existsSync, mkdtempSync, readFileSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../support/until.ts";

const PROBE_LIMIT_MS = 30_000;
const BOOT_LIMIT_MS = 90_000;
/** Files live in memory: a few logs and units, and what the services write. */
const DISK = "size=512m,mode=755";

/**
 * All mounts are in a namespace of their own and end with it. Booting goes no further than basic.target, so that nothing else which is
 * installed here is started. $1: a folder to mount at, $2: the executable, $3: extras/.
 */
const BOOT = `
set -e
mount --make-rprivate /
mount -t tmpfs -o ${DISK} tmpfs "$1"
mkdir "$1/changed" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/changed,workdir=$1/work" overlay "$1/root"
exec systemd-nspawn --quiet --directory="$1/root" --register=no --keep-unit --private-network \\
  --bind-ro="$2:/usr/local/bin/modelrelay" --bind-ro="$3:/srv/extras" "--$4" $5
`;

/** Null: systemd can be booted here. Else why not. */
export function whyNotBooted(): string | null {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "root on Linux";
  for (const program of ["systemd-nspawn", "nsenter", "unshare"]) if (Bun.which(program) === null) return program;
  if (!existsSync("/lib/systemd/systemd")) return "systemd";
  const folder = mkdtempSync(join(tmpdir(), "boot-probe-"));
  try {
    const { success } = Bun.spawnSync([...bootCommand(folder, process.execPath, tmpdir(), "as-pid2", "true")], {
      stdio: ["ignore", "ignore", "ignore"],
      timeout: PROBE_LIMIT_MS,
    });
    return success ? null : "the right to mount and to start containers";
  } finally {
    rmdirSync(folder);
  }
}

export class BootedMachine {
  readonly #folder: string;
  readonly #nspawn: Bun.Subprocess<"ignore", "ignore", "ignore">;
  #init = 0;

  private constructor(executable: string, extras: string) {
    this.#folder = mkdtempSync(join(tmpdir(), "booted-"));
    const command = bootCommand(this.#folder, executable, extras, "boot", "systemd.unit=basic.target");
    this.#nspawn = Bun.spawn([...command], {
      env: { ...process.env, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1" },
      stdio: ["ignore", "ignore", "ignore"],
    });
  }

  /** With the executable as /usr/local/bin/modelrelay, and a folder as /srv/extras. */
  static async boot(executable: string, extras: string): Promise<BootedMachine> {
    const machine = new BootedMachine(executable, extras);
    try {
      await until(async () => machine.#isUp(), "systemd has booted", BOOT_LIMIT_MS);
      return machine;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What a script of root's in that machine prints, and its exit code. */
  async run(script: string, limitMs = 60_000): Promise<{ readonly code: number; readonly out: string }> {
    const child = Bun.spawn(["nsenter", "--target", String(this.#init), "--all", "sh", "-c", `cd /root; exec 2>&1; ${script}`], {
      env: { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", HOME: "/root" },
      stdio: ["ignore", "pipe", "ignore"],
      timeout: limitMs,
    });
    const out = await child.stdout.text();
    return { code: await child.exited, out };
  }

  /** Until the script's exit code is 0. */
  async runUntil(script: string, what: string): Promise<string> {
    let last = { code: -1, out: "" };
    await until(async () => (last = await this.run(script)).code === 0, what, 30_000);
    return last.out;
  }

  async #isUp(): Promise<boolean> {
    if (this.#nspawn.exitCode !== null) throw new Error(`systemd-nspawn ended with exit code ${this.#nspawn.exitCode}`);
    this.#init = firstChildOf(this.#nspawn.pid) ?? 0;
    if (this.#init === 0) return false;
    const { out } = await this.run("systemctl is-active basic.target");
    return out.trim() === "active";
  }

  /** Its processes end with its first one, its mounts with them. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#init > 0 && existsSync(`/proc/${this.#init}`)) process.kill(this.#init, "SIGKILL");
    else this.#nspawn.kill("SIGKILL");
    await this.#nspawn.exited;
    rmdirSync(this.#folder);
  }
}

function bootCommand(folder: string, executable: string, extras: string, how: "boot" | "as-pid2", what: string): readonly string[] {
  return ["unshare", "--mount", "sh", "-c", BOOT, "sh", folder, executable, extras, how, what];
}

function firstChildOf(pid: number): number | null {
  try {
    const [child = ""] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
    return child === "" ? null : Number(child);
  } catch {
    return null;
  }
}
