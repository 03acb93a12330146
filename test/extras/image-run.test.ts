// The executable in what the image's base has and nothing else, as the image's user, on a file system nobody can write to but for its volume.
import { afterAll, expect, test } from "bun:test";
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { targetHere } from "../../scripts/build/targets.ts";
import { builtExecutable } from "../support/executable.ts";
import { until } from "../support/until.ts";
import { execForm, inherited, type Instruction, pairsOf, readStages } from "./dockerfile.ts";

const LIMIT_MS = 60_000;
// Of the base's libraries those of Debian's libc6, beside the loader.
const LIBRARIES_OF_THE_BASE = /^(libc|libm|libdl|libpthread|librt)\.so\.\d+$/;
const SECRET = { WORKER_SECRET: "0123456789abcdef0123456789abcdef" };
// Mounts the image's root where nobody can write, its volume over it and what every engine mounts besides; then gives up all rights.
const ENTER = `set -e
mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"
mount --bind "$2" "$1/data"
mount --rbind /proc "$1/proc" && mount --rbind /dev "$1/dev"
root=$1 user=$3; shift 3
exec chroot --userspec="$user" "$root" "$@"`;

const MISSING = await whyMissing();
if (MISSING !== null) console.warn(`\nWARNING: no image's file system is tried: ${MISSING}\n`);

const all = inherited(readStages(), "server");
const USER = lastText("USER");
const VARIABLES = Object.fromEntries(all.filter(({ name }) => name === "ENV").flatMap(pairsOf));
const ENTRYPOINT = execForm(lastText("ENTRYPOINT")) ?? [];
const HEALTHCHECK = execForm(lastText("HEALTHCHECK")) ?? [];

const scratch = mkdtempSync(join(tmpdir(), "modelrelay-image-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test.skipIf(MISSING !== null)(
  "[I3] in the base's C library alone, without rights and with a root nobody can write to, the relay serves, is asked and keeps keys",
  async () => {
    const image = await makeImage("served");
    const relay = image.start(ENTRYPOINT, {
      ...VARIABLES,
      ...SECRET,
      LISTEN_ADDR: "127.0.0.1:0",
      MODELRELAY_ADMIN_TOKEN: "token-of-this-test",
    });
    try {
      const port = await relay.sees(/listening url=http:\/\/127\.0\.0\.1:(\d+)/);
      const where = { ...VARIABLES, LISTEN_ADDR: `127.0.0.1:${port}` };
      const well = await image.run(HEALTHCHECK, where);
      expect({ code: well.code, err: well.err }).toEqual({ code: 0, err: "" });
      expect(well.out).toStartWith(`ok: http://127.0.0.1:${port} `);

      const keys = await image.run([ENTRYPOINT[0]!, "keys", "create", "--name", "kept"], {
        ...where,
        MODELRELAY_ADMIN_TOKEN: "token-of-this-test",
      });
      expect(keys.code).toBe(0);
      expect(readdirSync(image.data)).toContain("modelrelay.db");

      relay.stop();
      expect(await relay.exit()).toBe(0);
      const gone = await image.run(HEALTHCHECK, where);
      expect(gone.code).toBe(1);
      expect(gone.out).toStartWith("unhealthy: ");
    } finally {
      relay.kill();
      await relay.exit();
    }
  },
  LIMIT_MS,
);

test.skipIf(MISSING !== null)(
  "[I3] flags behind the image's name reach the program, a secret that is missing is told, and what is outside of the volume cannot be written",
  async () => {
    const image = await makeImage("refused");
    const unknown = await image.run([...ENTRYPOINT, "--nonsense"], { ...VARIABLES, ...SECRET });
    expect({ code: unknown.code, err: unknown.err }).toEqual({ code: 2, err: expect.stringContaining("unknown flag --nonsense") });
    const secretless = await image.run(ENTRYPOINT, VARIABLES);
    expect({ code: secretless.code, err: secretless.err }).toEqual({ code: 2, err: expect.stringContaining("variable WORKER_SECRET") });
    const elsewhere = await image.run([...ENTRYPOINT, "--data-dir", "/elsewhere"], { ...VARIABLES, ...SECRET, LISTEN_ADDR: "127.0.0.1:0" });
    expect(elsewhere.code).not.toBe(0);
    expect(elsewhere.err).toContain("/elsewhere");
  },
  LIMIT_MS,
);

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function makeImage(name: string) {
  const executable = await builtExecutable();
  const root = join(scratch, name, "root");
  const data = join(scratch, name, "data");
  for (const folder of ["proc", "dev", "tmp", "data", "etc"]) mkdirSync(join(root, folder), { recursive: true });
  mkdirSync(data, { recursive: true });
  const [uid, gid] = USER.split(":").map(Number);
  chownSync(data, uid!, gid!);
  for (const folder of [scratch, join(scratch, name)]) chmodSync(folder, 0o755);
  writeFileSync(join(root, "etc/passwd"), `root:x:0:0::/root:/sbin/nologin\nnonroot:x:${uid}:${gid}::/home/nonroot:/sbin/nologin\n`);
  writeFileSync(join(root, "etc/nsswitch.conf"), "hosts: files dns\n");
  for (const library of librariesOf(executable)) copyInto(root, library, library);
  copyInto(root, executable, ENTRYPOINT[0]!);
  const spawn = (command: readonly string[], env: Readonly<Record<string, string>>) =>
    Bun.spawn(["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "enter", root, data, USER, ...command], {
      // Like an engine, which gives a container none of its own variables.
      env: { PATH: process.env["PATH"] ?? "", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
  return {
    data,
    start: (command: readonly string[], env: Readonly<Record<string, string>>) => new Running(spawn(command, env)),
    async run(command: readonly string[], env: Readonly<Record<string, string>>): Promise<Result> {
      const child = spawn(command, env);
      const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
      return { code, out, err };
    },
  };
}

class Running {
  #err = "";
  readonly #child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #reading: Promise<void>;

  constructor(child: Bun.Subprocess<"ignore", "pipe", "pipe">) {
    this.#child = child;
    this.#reading = this.#read();
  }

  async sees(pattern: RegExp): Promise<string> {
    await until(() => pattern.test(this.#err) || this.#child.exitCode !== null, String(pattern));
    const found = pattern.exec(this.#err);
    if (found === null) throw new Error(`it ended without ${String(pattern)}: ${this.#err}`);
    return found[1] ?? found[0];
  }

  stop(): void {
    this.#child.kill("SIGTERM");
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async exit(): Promise<number> {
    await this.#reading;
    return await this.#child.exited;
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of this.#child.stderr) this.#err += decoder.decode(bytes, { stream: true });
  }
}

/** The loader and what it loads, as this machine has them. @throws Error when there is one the base has not */
function librariesOf(executable: string): readonly string[] {
  const listed = Bun.spawnSync(["ldd", executable]).stdout.toString();
  const paths = [...listed.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1]!);
  expect(paths.length).toBeGreaterThan(2);
  const foreign = paths
    .map((path) => path.split("/").at(-1)!)
    .filter((name) => !name.startsWith("ld-linux") && !LIBRARIES_OF_THE_BASE.test(name));
  expect(foreign).toEqual([]);
  return paths;
}

function copyInto(root: string, from: string, to: string): void {
  const target = join(root, to);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(from, target);
  chmodSync(target, 0o755);
}

/** Why no root can be made and entered here; null: it can. */
async function whyMissing(): Promise<string | null> {
  if (process.platform !== "linux") return "that takes Linux";
  if (process.getuid?.() !== 0) return "that takes root";
  if (targetHere()?.name.endsWith("-musl") !== false || Bun.which("ldd") === null) return "there is no glibc here";
  if (Bun.which("unshare") === null || Bun.which("chroot") === null) return "there is no unshare or chroot";
  const tried = Bun.spawn(["unshare", "--mount", "--propagation", "private", "true"], { stdio: ["ignore", "ignore", "ignore"] });
  return (await tried.exited) === 0 ? null : "file systems cannot be mounted";
}

function lastText(name: string): string {
  return all.findLast((instruction: Instruction) => instruction.name === name)?.text ?? "";
}
