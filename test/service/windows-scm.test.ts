// The executable for Windows as a service of a real Service Control Manager, the one of wine, where wine is installed.
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { compile } from "../../scripts/build/compile.ts";
import { TARGETS } from "../../scripts/build/targets.ts";
import { Windows, WINDOWS_LIMIT_MS, WINDOWS_MISSING } from "../build/emulators.ts";
import { RunningCli } from "../cli/run-cli.ts";
import { until, within } from "../support/until.ts";

const SECRET = "a-secret-of-enough-length";
const PATIENCE_MS = 60_000;
const isHere = WINDOWS_MISSING === null;

let windows: Windows | null = null;
let made: string | null = null;
// Wine ends its services when nobody is logged in any more; this one stays.
let user: Bun.Subprocess<"ignore", "ignore", "ignore"> | null = null;

beforeAll(async () => {
  if (!isHere) return;
  made = mkdtempSync(join(tmpdir(), "modelrelay-exe-"));
  windows = await Windows.start();
  const { env } = windows.machine("");
  await compile({ target: TARGETS.find(({ name }) => name === "windows-x64")!, commit: "for-tests", into: join(made, "modelrelay.exe") });
  for (const name of ["modelrelay.exe", "modelrelay-server.exe"]) copyFileSync(join(made, "modelrelay.exe"), join(folder(), name));
  // The manager that set this Windows up loses new services; the next one does not.
  const server = join(dirname(realpathSync(wine())), "wineserver");
  await Bun.spawn([server, "-k", "-w"], { env: { ...env }, stdio: ["ignore", "ignore", "ignore"], timeout: PATIENCE_MS }).exited;
  // Wine takes a socket, as a pipe of this process would be, for the end of the input.
  const keyboard = join(made, "keyboard");
  Bun.spawnSync(["mkfifo", keyboard]);
  const script = 'exec 3<>"$1"; exec "$2" cmd <&3';
  user = Bun.spawn(["sh", "-c", script, "sh", keyboard, wine()], { env: { ...env }, stdin: "ignore", stdout: "ignore", stderr: "ignore" });
}, WINDOWS_LIMIT_MS);

afterAll(async () => {
  user?.kill();
  await windows?.[Symbol.asyncDispose]();
  if (made !== null) rmSync(made, { recursive: true });
}, PATIENCE_MS);

function wine(): string {
  return windows?.machine("").program.command[0] ?? "wine";
}

function folder(): string {
  return windows?.machine("").program.cwd ?? ".";
}

/** As Windows programs call it. */
function toWindowsPath(name: string): string {
  return `Z:${join(folder(), name).replaceAll("/", "\\")}`;
}

async function run(...command: readonly string[]): Promise<string> {
  const { env } = windows!.machine("");
  const child = Bun.spawn([wine(), ...command], { env: { ...env }, stdin: "ignore", stdout: "pipe", stderr: "ignore" });
  const [text] = await within(Promise.all([child.stdout.text(), child.exited]), command.join(" "), PATIENCE_MS);
  return text.replaceAll("\r", "");
}

async function sc(...args: readonly string[]): Promise<string> {
  return await run("sc", ...args);
}

async function isInState(service: string, state: string): Promise<boolean> {
  return new RegExp(`STATE\\s*: \\d\\s+${state}\\b`).test(await sc("query", service));
}

test.if(isHere)(
  "[G8] a service created as users of sc.exe know it runs, drains a request when it is stopped, and says so all the while",
  async () => {
    writeFileSync(join(folder(), "secret"), SECRET);
    const flags = ["--listen 127.0.0.1:0", "--log-format json", `--log-file ${toWindowsPath("relay.log")}`];
    const line = `"${toWindowsPath("modelrelay-server.exe")}" ${flags.join(" ")} --worker-secret-file ${toWindowsPath("secret")}`;
    await sc("create", "ModelRelayServer", "binPath=", line, "start=", "demand");
    await sc("start", "ModelRelayServer");
    await until(() => isInState("ModelRelayServer", "RUNNING"), "the service runs", PATIENCE_MS);
    const log = join(folder(), "relay.log");
    await until(() => existsSync(log) && readFileSync(log, "utf8").includes('"listening"'), "the relay listens", PATIENCE_MS);
    const url = /"url":"([^"]+)"/.exec(readFileSync(log, "utf8"))![1]!;

    const asked = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    using backend = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 120,
      async fetch(request) {
        if (request.method === "GET") return Response.json({ data: [{ id: "m" }] });
        asked.resolve();
        await release.promise;
        return Response.json({ fine: true });
      },
    });
    await using worker = new RunningCli([
      "work",
      "--proxy-url",
      url,
      "--backend-url",
      `http://127.0.0.1:${backend.port}`,
      "--worker-secret",
      SECRET,
    ]);
    await worker.sees(/registered/);
    const answer = fetch(`${url}/v1/chat/completions`, { method: "POST", body: '{"model":"m","messages":[]}' });
    await within(asked.promise, "the backend is asked", PATIENCE_MS);

    await sc("stop", "ModelRelayServer");
    expect(await isInState("ModelRelayServer", "STOP_PENDING")).toBe(true);
    const checkpoint = async () => Number(/CHECKPOINT\s*: 0x(\w+)/.exec(await sc("query", "ModelRelayServer"))?.[1] ?? 0);
    await until(async () => (await checkpoint()) >= 3, "progress is reported while it drains", PATIENCE_MS);
    release.resolve();
    const response = await answer;
    expect([response.status, await response.json()]).toEqual([200, { fine: true }]);
    await until(() => isInState("ModelRelayServer", "STOPPED"), "the service has stopped", PATIENCE_MS);
    expect(await sc("query", "ModelRelayServer")).toMatch(/WIN32_EXIT_CODE\s*: 0 /);
    await sc("delete", "ModelRelayServer");
  },
  WINDOWS_LIMIT_MS,
);

test.if(isHere)(
  "[G8] a service that refuses its settings has stopped with its own exit code",
  async () => {
    await sc("create", "ModelRelayWorker", "binPath=", `"${toWindowsPath("modelrelay.exe")}" work --nonsense`, "start=", "demand");
    await sc("start", "ModelRelayWorker");
    const hasFailed = async () => /SERVICE_EXIT_CODE\s*: 2 /.test(await sc("query", "ModelRelayWorker"));
    await until(hasFailed, "the refusal is the service's exit code", PATIENCE_MS);
    expect(await isInState("ModelRelayWorker", "STOPPED")).toBe(true);
    expect(await sc("query", "ModelRelayWorker")).toMatch(/WIN32_EXIT_CODE\s*: 1066 /);
    await sc("delete", "ModelRelayWorker");
  },
  WINDOWS_LIMIT_MS,
);

async function service(...args: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const { env } = windows!.machine("");
  const command = [wine(), join(folder(), "modelrelay.exe"), "service", ...args];
  const child = Bun.spawn(command, { env: { ...env }, cwd: folder(), stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [code, out, err] = await within(Promise.all([child.exited, child.stdout.text(), child.stderr.text()]), args.join(" "), PATIENCE_MS);
  return { code, out, err };
}

const WORKER = ["work", "--name", "gpu0"];
const WORKER_FLAGS = ["--worker-secret", SECRET, "--proxy-url", "http://127.0.0.1:9"];

test.if(isHere)(
  "[G7] service install, status and uninstall do so on a Windows",
  async () => {
    const source = String.raw`HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\ModelRelayWorker`;
    const hasSource = async () => (await run("reg", "query", source)).includes("EventMessageFile");
    const [open, closed] = [join(folder(), "open"), join(folder(), "closed")];
    for (const [path, mode] of [
      [open, 0o644],
      [closed, 0o600],
    ] as const) {
      writeFileSync(path, SECRET);
      chmodSync(path, mode);
    }
    const installed = await service("install", ...WORKER, ...WORKER_FLAGS, "--backend-api-key-file", toWindowsPath("open"));
    expect(installed).toEqual({ code: 0, out: "", err: expect.stringContaining("ModelRelayWorker-gpu0 is installed") });
    expect(installed.err).toContain(`warning: ${toWindowsPath("open")} can be read by everyone`);
    await until(() => isInState("ModelRelayWorker-gpu0", "RUNNING"), "the service runs", PATIENCE_MS);
    const status = await service("status", ...WORKER);
    expect({ code: status.code, out: status.out }).toEqual({
      code: 0,
      out: expect.stringMatching(/installed +yes\n[^]*running +running\n/),
    });
    const another = await service("status", "work");
    expect([another.code, another.err]).toEqual([1, "there is a work service named gpu0: --name says which\n"]);
    expect(await hasSource()).toBe(true);
    expect(await service("uninstall", ...WORKER)).toMatchObject({ code: 0 });
    await until(async () => (await service("status", ...WORKER)).out.includes("installed  no"), "the service is gone", PATIENCE_MS);
    expect(await hasSource()).toBe(false);
    // Nobody else can read this one, and nobody can change the executable.
    const quiet = await service("install", ...WORKER, "--worker-secret-file", toWindowsPath("closed"), "--proxy-url", "http://127.0.0.1:9");
    expect([quiet.code, quiet.err.includes("warning: Z:")]).toEqual([0, false]);
    expect(await service("uninstall", ...WORKER)).toMatchObject({ code: 0 });
  },
  WINDOWS_LIMIT_MS,
);

const isRoot = process.getuid?.() === 0;

test.if(isHere && isRoot)(
  "[G7] on a Windows, a folder for secrets that somebody else made beforehand gets none",
  async () => {
    const planted = join(folder(), "prefix/drive_c/ProgramData/modelrelay");
    mkdirSync(planted, { recursive: true });
    chownSync(planted, 65_534, 65_534);
    const { code, err } = await service("install", ...WORKER, ...WORKER_FLAGS);
    expect([code, err]).toEqual([1, expect.stringContaining("was not made by an administrator but by nobody in particular")]);
    expect(readdirSync(planted)).toEqual([]);
    expect((await service("status", ...WORKER)).out).toContain("installed  no");
  },
  WINDOWS_LIMIT_MS,
);
