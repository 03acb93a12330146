// Looks at this machine with the eyes of somebody who wants to run a llamafile on it.
import { accessSync, constants, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { CommandError } from "../../base/errors.ts";
import { printable } from "../../base/printable.ts";
import { freeBytes } from "../../llamafile/disk.ts";
import { ensureDirectory, type Home } from "../../llamafile/home.ts";
import { readCatalogue, readLibrary, sizeHere } from "../../llamafile/library.ts";
import { type Machine, readMachine, thisWorld } from "../../llamafile/machine.ts";
import { showBytes } from "../../base/quantity.ts";
import { reasonOf } from "../../llamafile/reason.ts";
import { failed, ok, type Outcome, warning } from "../doctor/finding.ts";

const MACHINE = "This machine";

export const MACHINE_CHECKS = {
  system: MACHINE,
  processor: MACHINE,
  memory: MACHINE,
  gpu: MACHINE,
  home: MACHINE,
  disk: MACHINE,
  executables: MACHINE,
  "binary format": MACHINE,
  compiler: MACHINE,
  "file size": MACHINE,
  settings: MACHINE,
  catalogue: MACHINE,
} as const;

type Say = (check: keyof typeof MACHINE_CHECKS, outcome: Outcome) => void;

export async function examineMachine(home: Home, env: Readonly<Record<string, string | undefined>>, say: Say): Promise<void> {
  const machine = readMachine(thisWorld());
  say("system", examineSystem(machine));
  say("processor", examineProcessor(machine));
  say("memory", examineMemory(machine));
  say("gpu", examineGpu(machine));
  const isWritable = examineHome(home, say);
  if (isWritable) {
    say("disk", await examineDisk(home));
    if (machine.platform !== "win32") say("executables", examineExecutables(home));
  }
  if (machine.platform === "linux") say("binary format", examineBinaryFormat());
  if (machine.platform === "darwin" && machine.arch === "arm64") say("compiler", examineCompiler());
  if (machine.platform === "win32") {
    say(
      "file size",
      warning("Windows runs no executable of 4 GB or more", "'list' shows which models are small enough; WSL runs all of them"),
    );
  }
  say("settings", examineSettings(home, env));
  say("catalogue", examineCatalogue(home));
}

function examineSystem({ platform, arch }: Machine): Outcome {
  const name = `${platform} ${release()}, ${arch}`;
  if (arch !== "x64" && arch !== "arm64") return failed(name, "llamafiles run on x64 and arm64");
  return ok(name);
}

/** Of an x64 Linux machine alone the system says it in a file. */
function examineProcessor({ platform, arch }: Machine): Outcome {
  const cores = cpus();
  const name = `${printable(cores[0]?.model.trim() ?? "unknown")}, ${cores.length} cores`;
  if (platform !== "linux" || arch !== "x64") return ok(name);
  const flags = (/^flags\s*:\s*(.*)$/m.exec(readText("/proc/cpuinfo") ?? "")?.[1] ?? "").split(" ");
  if (flags.length > 1 && !flags.includes("ssse3")) return failed(`${name}, without SSSE3`, "llamafiles need a processor of 2006 or later");
  const has = ["avx", "avx2", "fma", "avx512f"].filter((flag) => flags.includes(flag));
  if (!has.includes("avx2"))
    return warning(`${name}, without AVX2`, "models run, but slowly; in a virtual machine, pass the host's processor through");
  return ok(`${name}, with ${has.join(", ")}`);
}

function examineMemory({ ramBytes, isRamLimited }: Machine): Outcome {
  const text = `${showBytes(ramBytes)}${isRamLimited ? ", which is what the control group of this process allows" : ""}`;
  return ramBytes < 4 * GIB ? warning(text, "take the smallest models: 'modelrelay llamafile recommend'") : ok(text);
}

function examineGpu({ platform, gpus }: Machine): Outcome {
  if (gpus.length > 0) return ok(gpus.map(({ name, vramBytes }) => `${printable(name)}, ${showBytes(vramBytes)}`).join("; "));
  if (platform === "linux" && existsSync("/dev/nvidia0")) {
    return warning(
      "an NVIDIA GPU, but nvidia-smi does not answer",
      "install the driver's tools (nvidia-utils), or see whether the driver is loaded",
    );
  }
  if (platform === "linux" && existsSync("/proc/driver/nvidia")) {
    return warning("the NVIDIA driver, but no device", "in a container, give it the GPU (docker run --gpus all)");
  }
  if (platform === "linux" && existsSync("/dev/kfd"))
    return warning("an AMD GPU whose memory is not told", "see whether the amdgpu driver is loaded");
  return ok("none that is known; models run on the processor");
}

// Of a mode: the group and everybody.
const WRITABLE_BY_OTHERS = 0o022;

function examineHome(home: Home, say: Say): boolean {
  try {
    for (const directory of [home.root, home.models, home.state, home.logs]) ensureDirectory(directory);
    accessSync(home.models, constants.W_OK);
    const isOpen = [home.root, home.models].some((directory) => (statSync(directory).mode & WRITABLE_BY_OTHERS) !== 0);
    const open = `others may write in ${home.root}, and so replace what is run from it`;
    say("home", isOpen && process.platform !== "win32" ? warning(open, `chmod -R go-w ${home.root}`) : ok(home.root));
    return true;
  } catch (error) {
    say(
      "home",
      failed(`${home.root} cannot be written (${reasonOf(error)})`, "make it yours, or give another place with --home or MODELRELAY_HOME"),
    );
    return false;
  }
}

async function examineDisk(home: Home): Promise<Outcome> {
  const free = await freeBytes(home.models);
  if (free < GIB) return failed(`${showBytes(free)} free`, "make room: the smallest model has about 1 GB");
  return free < 10 * GIB ? warning(`${showBytes(free)} free`, "enough for small models only") : ok(`${showBytes(free)} free`);
}

/** A file system may be mounted so that nothing on it runs. */
function examineExecutables(home: Home): Outcome {
  const path = join(home.models, `.doctor-${process.pid}`);
  try {
    writeFileSync(path, "#!/bin/sh\nexit 0\n", { mode: 0o700 });
    const done = Bun.spawnSync([path], { stdin: "ignore", stdout: "ignore", stderr: "ignore", timeout: 10_000 });
    if (done.exitCode === 0) return ok("files in there can be run");
    return failed(`a program in ${home.models} ended with ${done.exitCode}`, "see whether something (antivirus, a policy) stops it");
  } catch (error) {
    const reason = reasonOf(error);
    const fix = /^(ENOSPC|EDQUOT)$/.test(reason) ? "make room to try it" : "it may be mounted noexec; give another place with --home";
    return failed(`no program in ${home.models} can be run (${reason})`, fix);
  } finally {
    rmSync(path, { force: true });
  }
}

/** Llamafiles are started by the shell here, which no registration of Wine's or WSL's comes in between of. */
function examineBinaryFormat(): Outcome {
  if (!existsSync("/bin/sh")) return failed("there is no /bin/sh", "llamafiles are started by it; install a shell");
  const others = registeredFormats().filter(({ name, magic }) => magic.startsWith(WINDOWS_MAGIC) && !/^APE/i.test(name));
  if (others.length === 0) return ok("llamafiles are started by /bin/sh");
  return ok(
    `llamafiles are started by /bin/sh, as ${others.map(({ name }) => printable(name)).join(", ")} would take them for Windows programs`,
  );
}

function registeredFormats(): readonly { readonly name: string; readonly magic: string }[] {
  const directory = "/proc/sys/fs/binfmt_misc";
  try {
    return readdirSync(directory).map((name) => ({
      name,
      magic: /^magic ([0-9a-f]+)$/m.exec(readText(join(directory, name)) ?? "")?.[1] ?? "",
    }));
  } catch {
    return [];
  }
}

/** The first start of a llamafile makes its loader there. */
function examineCompiler(): Outcome {
  const done = Bun.spawnSync(["xcode-select", "-p"], { stdin: "ignore", stdout: "ignore", stderr: "ignore", timeout: 10_000 });
  return done.exitCode === 0
    ? ok("the command line tools are here")
    : failed("the command line tools are missing", "xcode-select --install");
}

function examineSettings(home: Home, env: Readonly<Record<string, string | undefined>>): Outcome {
  const place = env["MODELRELAY_HOME"] === undefined ? "" : " (MODELRELAY_HOME)";
  const found = statSync(home.settings, { throwIfNoEntry: false });
  if (found === undefined) return ok(`none are set${place}`);
  const isOpen = process.platform !== "win32" && (found.mode & 0o077) !== 0;
  return isOpen ? warning(`${home.settings} can be read by others`, `chmod 600 ${home.settings}`) : ok(home.settings);
}

function examineCatalogue(home: Home): Outcome {
  try {
    const { models, updated_at } = readCatalogue(home);
    const here = readLibrary(home).filter((model) => sizeHere(home, model) !== null).length;
    const from = updated_at === undefined ? "as the program brings it along" : `of ${new Date(updated_at).toISOString().slice(0, 10)}`;
    return ok(`${models.length} models, ${from}; ${here} here`);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return failed(error.message, `rm ${home.catalogue}, then 'modelrelay llamafile update-catalog'`);
  }
}

const GIB = 1024 ** 3;
// What programs for Windows, and llamafiles, begin with: MZ.
const WINDOWS_MAGIC = "4d5a";

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
