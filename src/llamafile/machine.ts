// What this machine can hold: memory as far as it may be used, graphics memory, and what kind of machine it is.
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";

export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  /** Memory that programs may use: what is there, or less when a container or service is limited. */
  readonly ramBytes: number;
  readonly isRamLimited: boolean;
  /** Processor cores that programs may use; at least 1. */
  readonly cores: number;
  readonly gpus: readonly Gpu[];
}

export interface Gpu {
  readonly name: string;
  readonly vramBytes: number;
  /** Shares the machine's memory, as Apple's do: what it takes is missing there. */
  readonly isUnified: boolean;
}

/** What there is to look at; a test gives its own. */
export interface MachineWorld {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  readonly totalBytes: number;
  readonly cores: number;
  /** Before every absolute path; empty on the real machine. */
  readonly root: string;
  /** The standard output of a program, or null when it is not there, fails or is too slow. */
  readonly run: (command: readonly string[]) => string | null;
}

export function thisWorld(): MachineWorld {
  return {
    platform: process.platform,
    arch: process.arch,
    totalBytes: totalmem(),
    cores: availableParallelism(),
    root: "",
    run: runBriefly,
  };
}

export function readMachine(world: MachineWorld): Machine {
  const limit = world.platform === "linux" ? cgroupLimit(world.root) : null;
  const isRamLimited = limit !== null && limit < world.totalBytes;
  return {
    platform: world.platform,
    arch: world.arch,
    ramBytes: isRamLimited ? limit : world.totalBytes,
    isRamLimited,
    cores: Math.max(1, Math.min(world.cores, world.platform === "linux" ? coresLimit(world.root) : Infinity)),
    gpus: [...nvidiaGpus(world), ...amdGpus(world), ...appleGpu(world)],
  };
}

/** Of all graphics cards together: a model's layers are spread over them. */
export function vramOf({ gpus }: Machine): number {
  return gpus.reduce((sum, { vramBytes }) => sum + vramBytes, 0);
}

const MIB = 1024 ** 2;
const PROGRAM_LIMIT_MS = 5_000;
const OUTPUT_MAX_BYTES = 1_000_000;
// macOS lets the GPU have about three quarters of the memory.
const APPLE_SHARE = 0.75;
// A limit that is not one: cgroup v1 says "none" by a number near 2^63.
const NO_LIMIT = 2 ** 60;

/** The least limit on the way from this process's group up to the root: version 2, and version 1. */
function cgroupLimit(root: string): number | null {
  const groups = (readText(join(root, "/proc/self/cgroup")) ?? "").split("\n");
  const limits = groups.flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.+)$/.exec(line) ?? [];
    if (path === undefined) return [];
    if (controllers === "") return limitsUpwards(join(root, "/sys/fs/cgroup"), path, "memory.max");
    return controllers!.split(",").includes("memory")
      ? limitsUpwards(join(root, "/sys/fs/cgroup/memory"), path, "memory.limit_in_bytes")
      : [];
  });
  return limits.length === 0 ? null : Math.min(...limits);
}

function limitsUpwards(base: string, path: string, file: string): readonly number[] {
  return filesUpwards(base, path, file).flatMap((text) => {
    const limit = Number(text.trim() || Number.NaN);
    return Number.isFinite(limit) && limit > 0 && limit < NO_LIMIT ? [limit] : [];
  });
}

/** What these files say, of the root, the group and all between, where there are any. */
function filesUpwards(base: string, path: string, file: string): readonly string[] {
  const parts = path.split("/").filter((part) => part !== "" && part !== "..");
  const places = Array.from({ length: parts.length + 1 }, (_, count) => join(base, ...parts.slice(0, count), file));
  return places.map(readText).filter((text) => text !== null);
}

/** Of version 2: the least share of the processor's time on the way up, as in "150000 100000" for one core and a half. */
function coresLimit(root: string): number {
  const path = /^0::(.+)$/m.exec(readText(join(root, "/proc/self/cgroup")) ?? "")?.[1] ?? "/";
  const shares = filesUpwards(join(root, "/sys/fs/cgroup"), path, "cpu.max").map((text) => {
    const [quota, period] = text.trim().split(/\s+/).map(Number);
    return quota !== undefined && period !== undefined && quota > 0 && period > 0 ? quota / period : Infinity;
  });
  return Math.floor(Math.min(Infinity, ...shares));
}

function nvidiaGpus({ run }: MachineWorld): readonly Gpu[] {
  const output = run(["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]) ?? "";
  return output.split("\n").flatMap((line) => {
    const [, name, mebibytes] = /^(.+),\s*(\d+)\s*$/.exec(line) ?? [];
    return name === undefined ? [] : [{ name: name.trim(), vramBytes: Number(mebibytes) * MIB, isUnified: false }];
  });
}

/** The amdgpu driver tells in files; no ROCm tool is needed. */
function amdGpus({ platform, root }: MachineWorld): readonly Gpu[] {
  if (platform !== "linux") return [];
  const cards = join(root, "/sys/class/drm");
  return entriesOf(cards)
    .filter((name) => /^card\d+$/.test(name))
    .flatMap((name) => {
      const device = join(cards, name, "device");
      const bytes = Number(readText(join(device, "mem_info_vram_total"))?.trim() || Number.NaN);
      if (!Number.isFinite(bytes) || bytes <= 0) return [];
      return [{ name: readText(join(device, "product_name"))?.trim() || "AMD GPU", vramBytes: bytes, isUnified: false }];
    });
}

function appleGpu({ platform, arch, totalBytes }: MachineWorld): readonly Gpu[] {
  if (platform !== "darwin" || arch !== "arm64") return [];
  return [{ name: "Apple GPU", vramBytes: Math.floor(totalBytes * APPLE_SHARE), isUnified: true }];
}

function entriesOf(path: string): readonly string[] {
  try {
    return readdirSync(path).toSorted();
  } catch {
    return [];
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function runBriefly(command: readonly string[]): string | null {
  try {
    const done = Bun.spawnSync([...command], { timeout: PROGRAM_LIMIT_MS, maxBuffer: OUTPUT_MAX_BYTES, stdin: "ignore", stderr: "ignore" });
    return done.exitCode === 0 ? done.stdout.toString() : null;
  } catch {
    return null;
  }
}
