// The executable for this machine, run as its users run it: alone in a folder, by its names, from any directory.
import { afterAll, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { VERSION } from "../../src/base/version.ts";
import { builtExecutable } from "../support/executable.ts";
import { type Machine, run, withCast } from "./cast.ts";

const MAIN = join(import.meta.dir, "../../src/main.ts");
const LIMIT_MS = 60_000;
const folder = mkdtempSync(join(tmpdir(), "modelrelay-native-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function machine(cwd = folder): Promise<Machine> {
  return { program: { command: [await builtExecutable()], cwd }, dataDir: join(folder, "data") };
}

const TSCONFIG = '{"compilerOptions":{"paths":{"*":["./evil.cjs"]}}}';

/** Everything a runtime of JavaScript takes from the directory it is started in, each leaving a trace when it does. */
function makeTrap(): { readonly cwd: string; readonly trace: string } {
  const cwd = mkdtempSync(join(folder, "trap-"));
  const trace = join(cwd, "trace");
  const leaveTrace = `require("node:fs").appendFileSync(${JSON.stringify(trace)}, __filename + "\\n");`;
  const files: Readonly<Record<string, string>> = {
    ".env": "WORKER_SECRET=from-the-directory\nBODY_LIMIT_MB=lots\n",
    "bunfig.toml": 'preload = ["./evil.cjs"]\n',
    "evil.cjs": leaveTrace,
    "tsconfig.json": TSCONFIG,
    "package.json": '{"name":"trap","imports":{"#*":"./evil.cjs"},"dependencies":{"citty":"*"}}',
    "node_modules/citty/package.json": '{"name":"citty","main":"index.js"}',
    "node_modules/citty/index.js": leaveTrace,
    "node_modules/hono/package.json": '{"name":"hono","main":"index.js"}',
    "node_modules/hono/index.js": leaveTrace,
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(cwd, path)), { recursive: true });
    writeFileSync(join(cwd, path), text);
  }
  return { cwd, trace };
}

test(
  "[E3] --version says version, commit and target; help goes to the standard output, a wrong flag ends with 2",
  async () => {
    const here = await machine();
    const version = await run(here, ["--version"]);
    expect(version).toMatchObject({ code: 0, err: "" });
    expect(version.out).toStartWith(`modelrelay ${VERSION} (for-tests, ${process.platform}-${process.arch}`);
    const help = await run(here, ["serve", "--help"]);
    expect(help).toMatchObject({ code: 0, err: "" });
    expect(help.out).toStartWith("modelrelay serve:");
    const wrong = await run(here, ["serve", "--listn"]);
    expect(wrong).toMatchObject({ code: 2, out: "" });
    expect(wrong.err).toContain("did you mean --listen?");
  },
  LIMIT_MS,
);

test(
  "[E4] relay and worker as two processes of the executable stream a chat; SIGTERM lets it finish and both end with 0",
  async () => {
    await withCast(await machine(), async (cast) => {
      const relay = await cast.relay();
      const { worker, backend } = await cast.worker(relay);
      await cast.finishes(await cast.chat(relay));
      const held = await cast.chat(relay, "fake:held:20");
      relay.signal("SIGTERM");
      await relay.says("graceful shutdown");
      await backend.tell("release");
      await cast.finishes(held);
      expect(await relay.exit()).toBe(0);
      worker.signal("SIGTERM");
      expect(await worker.exit()).toBe(0);
    });
  },
  LIMIT_MS,
);

test(
  "[E5] nothing is taken from the directory it is started in: no settings, no secrets, no code",
  async () => {
    const { cwd, trace } = makeTrap();
    // The trap works: run from its sources, the program falls into it, and without the code in it into the settings.
    const fromSources = { program: { command: [process.execPath, MAIN], cwd } } as const;
    await run(fromSources, ["serve"]);
    expect(existsSync(trace)).toBe(true);
    rmSync(join(cwd, "tsconfig.json"));
    expect((await run(fromSources, ["serve"])).err).toContain("variable BODY_LIMIT_MB");
    writeFileSync(join(cwd, "tsconfig.json"), TSCONFIG);
    rmSync(trace);

    const there = await machine(cwd);
    const withoutSecret = await run(there, ["serve", "--listen", "127.0.0.1:0"]);
    expect(withoutSecret).toMatchObject({ code: 2, out: "" });
    expect(withoutSecret.err).toContain("a worker secret is needed");
    await withCast(there, async (cast) => {
      const relay = await cast.relay();
      await cast.worker(relay);
      await cast.finishes(await cast.chat(relay));
    });
    expect(existsSync(trace)).toBe(false);
  },
  LIMIT_MS,
);

test(
  "[E6] a link or a copy with one of the earlier names is the relay or the worker, without a command",
  async () => {
    const executable = await builtExecutable();
    const names = mkdtempSync(join(folder, "names-"));
    const called = (name: string, make: (from: string, to: string) => void): string => {
      make(executable, join(names, name));
      return join(names, name);
    };
    const server = called("modelrelay-server", (from, to) => symlinkSync(from, to));
    const worker = called("modelrelay-worker", (from, to) => symlinkSync(from, to));
    const oldServer = called("modelrelay-server-linux-amd64", copyFileSync);
    const oldWorker = called("modelrelay-worker-linux-amd64", copyFileSync);
    const dataDir = join(folder, "data");

    for (const [asServer, asWorker] of [
      [server, worker],
      [oldServer, oldWorker],
    ] as const) {
      expect((await run({ program: { command: [asWorker] } }, ["--help"])).out).toStartWith("modelrelay work:");
      await withCast({ program: { command: [asServer] }, dataDir }, async (cast) => {
        const relay = await cast.relay([]);
        const { worker } = await cast.worker(relay, [], asWorker);
        await cast.finishes(await cast.chat(relay));
        expect(worker.isRunning).toBe(true);
      });
    }
    // Looked up by its name alone, as a shell does; and a link by another name is the whole program.
    const onPath = await run({ program: { command: ["modelrelay-server"] }, env: { PATH: names } }, ["--max-concurrency", "1"]);
    expect(onPath).toMatchObject({ code: 2, err: expect.stringContaining("unknown flag --max-concurrency") });
    const plain = called("modelrelay", (_, to) => symlinkSync(oldServer, to));
    expect((await run({ program: { command: [plain] } }, ["work", "--help"])).out).toStartWith("modelrelay work:");
  },
  LIMIT_MS,
);
