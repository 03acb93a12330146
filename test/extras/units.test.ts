// The unit files, property lists, examples and scripts in extras/ are taken by the programs they are for, and by this one.
import { afterAll, expect, test } from "bun:test";
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SERVE_OPTIONS } from "../../src/cli/serve/options.ts";
import { WORK_OPTIONS } from "../../src/cli/work/options.ts";
import type { OptionTable } from "../../src/cli/options/option.ts";
import { parseOptions } from "../../src/cli/options/parse.ts";
import { toServeConfig } from "../../src/cli/serve/config.ts";
import { toWorkConfig } from "../../src/cli/work/config.ts";
import { WORKER_DRAIN_MS } from "../../src/llamafile/keeper.ts";
import { fencesOf, readDocument } from "../docs/documents.ts";
import { canReadPropertyLists, readPropertyList } from "../service/property-list.ts";
import { builtExecutable } from "../support/executable.ts";

const EXTRAS = join(import.meta.dir, "../../extras/");
const FOLDER = mkdtempSync(join(tmpdir(), "extras-units-"));
afterAll(() => rmSync(FOLDER, { recursive: true }));

const read = (name: string) => readFileSync(join(EXTRAS, name), "utf8");
const hasSystemd = Bun.which("systemd-analyze") !== null;
if (!hasSystemd) console.warn("the tests of units need systemd-analyze, and are left out");

const ROLES = [
  { role: "serve", unit: "modelrelay-server.service", as: "modelrelay-server.service", env: "proxy.env.example", options: SERVE_OPTIONS },
  {
    role: "work",
    unit: "modelrelay-worker@.service",
    as: "modelrelay-worker@gpu0.service",
    env: "worker.env.example",
    options: WORK_OPTIONS,
  },
] as const;

test("with CI=true nothing is left out: units and property lists have readers", () => {
  if (process.env["CI"] === "true") expect({ hasSystemd, canReadPropertyLists }).toEqual({ hasSystemd: true, canReadPropertyLists: true });
});

test.if(hasSystemd).each(ROLES)("[G1] systemd takes $unit without a word, and finds it locked up", ({ unit, as }) => {
  // The executable is not installed on the machine of the tests; everything else is as it is shipped.
  const path = join(FOLDER, as);
  writeFileSync(path, read(unit).replace("/usr/local/bin/modelrelay", "/bin/true"));
  const analyze = (...args: readonly string[]) => {
    const { exitCode, stdout, stderr } = Bun.spawnSync(["systemd-analyze", ...args, path]);
    return { exitCode, text: `${stdout.toString()}${stderr.toString()}`.trim() };
  };
  expect(analyze("verify")).toEqual({ exitCode: 0, text: "" });
  const exposure = Number(/exposure level for .*: (\d+\.\d)/.exec(analyze("security", "--offline=yes").text)?.[1]);
  expect(exposure).toBeLessThan(1.5);
});

test.each(ROLES)("[G1] $unit stops after the drain, not in it", ({ unit, options }) => {
  const seconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(read(unit))?.[1]);
  expect(seconds * 1000).toBeGreaterThan(options.drainTimeoutMs.fallback + 5_000);
});

test("[G1] the unit of docs/llamafile.md stops its keeper alone, has the time for it, and starts with the machine", () => {
  const { text } = readDocument("docs/llamafile.md");
  const [unit, ...others] = fencesOf(text).flatMap(({ info, body }) => (info === "ini" ? [body] : []));
  expect(others).toEqual([]);
  expect(unit).toMatch(/^\[Unit\]\n(?:.+\n)*Wants=network-online\.target\nAfter=network-online\.target$/m);
  expect(unit).toContain("\nKillMode=mixed\n");
  expect(unit).toContain("\n[Install]\nWantedBy=multi-user.target");
  expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit!)?.[1]) * 1000).toBeGreaterThan(WORKER_DRAIN_MS + 10_000);
  if (!hasSystemd) return;
  const path = join(FOLDER, "llamafile.service");
  writeFileSync(path, unit!.replace("/usr/local/bin/modelrelay", "/bin/true"));
  const { exitCode, stdout, stderr } = Bun.spawnSync(["systemd-analyze", "verify", path]);
  expect({ exitCode, text: `${stdout.toString()}${stderr.toString()}`.trim() }).toEqual({ exitCode: 0, text: "" });
});

/** What systemd reads of an environment file without quotes. */
function variablesOf(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries([...text.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]));
}

test.each(ROLES)("[G2] every variable of $env is one the program knows, with a value it takes", ({ role, env, options }) => {
  const known = new Set(Object.values<OptionTable[string]>(options).flatMap(({ variables }) => variables));
  const isLine = /^#?([A-Z_]+)=/gm;
  const named = [...read(env).matchAll(isLine)].map(([, name]) => name!);
  expect(named.length).toBeGreaterThan(8);
  expect(named.filter((name) => !known.has(name))).toEqual([]);
  // With what is commented out as well; what is left empty there counts as unset.
  const all = variablesOf(read(env).replaceAll(/^#(?=[A-Z_]+=)/gm, ""));
  expect(() => parseOptions(role, options, [], all)).not.toThrow();
});

test("[G2] an example whose secret was not changed is refused, and a changed one is taken", () => {
  const serve = variablesOf(read("proxy.env.example"));
  const work = variablesOf(read("worker.env.example"));
  expect(() => toServeConfig(parseOptions("serve", SERVE_OPTIONS, [], serve))).toThrow("placeholder");
  expect(() => toWorkConfig(parseOptions("work", WORK_OPTIONS, [], work))).toThrow("placeholder");
  const secret = { WORKER_SECRET: "a-secret-of-enough-length" };
  expect(toServeConfig(parseOptions("serve", SERVE_OPTIONS, [], { ...serve, ...secret })).listen.port).toBe(8080);
  expect(toWorkConfig(parseOptions("work", WORK_OPTIONS, [], { ...work, ...secret })).backendUrl.href).toBe("http://127.0.0.1:8000/");
});

test("[G2] a worker's instance is its name, and a file for all workers comes before its own; without both it says what is missing", () => {
  const unit = read("modelrelay-worker@.service").replaceAll("%i", "gpu0");
  const sources = [...unit.matchAll(/^(Environment|EnvironmentFile)=(.*)$/gm)].map(([, kind, source]) => [kind, source]);
  // systemd.exec(5): files win over Environment=, a later file over an earlier one, and the dash lets one be missing.
  expect(sources).toEqual([
    ["Environment", "WORKER_NAME=gpu0"],
    ["EnvironmentFile", "-/etc/modelrelay/worker.env"],
    ["EnvironmentFile", "-/etc/modelrelay/worker-gpu0.env"],
  ]);
  // The example names no worker, so that it can be either file.
  expect(variablesOf(read("worker.env.example"))).not.toHaveProperty("WORKER_NAME");
  const neither = parseOptions("work", WORK_OPTIONS, [], variablesOf(String(sources[0]![1])));
  expect(neither.values.workerName).toBe("gpu0");
  expect(() => toWorkConfig(neither)).toThrow("the variable WORKER_SECRET");
});

const isRoot = process.getuid?.() === 0;

test.each(ROLES)(
  "[G3] ExecStart of $unit with its example runs as another user without rights, and ends with 0 on SIGTERM",
  async ({ unit, env }) => {
    // Where another user may run it.
    const folder = mkdtempSync("/var/tmp/modelrelay-unit-");
    try {
      chmodSync(folder, 0o755);
      const executable = join(folder, "modelrelay");
      copyFileSync(await builtExecutable(), executable);
      chmodSync(executable, 0o755);
      const [, line = ""] = /^ExecStart=(.*)$/m.exec(read(unit)) ?? [];
      const words = line.replace("/usr/local/bin/modelrelay", executable).split(" ");
      const variables = { ...variablesOf(read(env)), WORKER_SECRET: "a-secret-of-enough-length", PROXY_URL: "http://127.0.0.1:9" };
      const child = Bun.spawn([...(isRoot ? NOBODY : []), ...words], {
        cwd: "/",
        env: { PATH: process.env["PATH"] ?? "", ...variables, LISTEN_ADDR: "127.0.0.1:0" },
        stdout: "ignore",
        stderr: "pipe",
      });
      try {
        let log = "";
        for await (const bytes of child.stderr) {
          log += new TextDecoder().decode(bytes);
          if (/listening|connection to proxy|cannot reach|proxy/.test(log)) break;
        }
        child.kill("SIGTERM");
        expect({ code: await child.exited, log }).toEqual({ code: 0, log: expect.stringMatching(/listening|proxy/) });
      } finally {
        child.kill("SIGKILL");
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  60_000,
);

const NOBODY = [
  "setpriv",
  "--reuid",
  "65534",
  "--regid",
  "65534",
  "--clear-groups",
  "--bounding-set=-all",
  "--inh-caps=-all",
  "--no-new-privs",
];

// launchd.plist(5).
const LAUNCHD_KEYS = [
  "Label",
  "ProgramArguments",
  "RunAtLoad",
  "KeepAlive",
  "ThrottleInterval",
  "ExitTimeOut",
  "ProcessType",
  "SoftResourceLimits",
  "HardResourceLimits",
  "Umask",
  "StandardErrorPath",
];

test.if(canReadPropertyLists).each(["server", "worker"])(
  "[G6] ai.modelrelay.%s.plist is a property list of keys that launchd knows",
  (name) => {
    const list = readPropertyList(join(EXTRAS, `ai.modelrelay.${name}.plist`));
    expect(Object.keys(list).sort()).toEqual([...LAUNCHD_KEYS].sort());
    const command = name === "server" ? "serve" : "work";
    expect(list).toMatchObject({ Label: `ai.modelrelay.${name}`, RunAtLoad: true, KeepAlive: { SuccessfulExit: false } });
    expect(list["ProgramArguments"]).toEqual(["/usr/local/bin/modelrelay", command, expect.stringMatching(/^--config=.*\.toml$/)]);
    expect(list["ExitTimeOut"]).toBeGreaterThan(35);
  },
);

const SCRIPTS = [
  { script: "install-windows-service.ps1", service: "ModelRelayServer", command: "serve", options: SERVE_OPTIONS },
  { script: "install-windows-service-worker.ps1", service: "ModelRelayWorker", command: "work", options: WORK_OPTIONS },
] as const;

test.each(SCRIPTS)(
  "[G7] the secrets $script keeps win over those that the machine's variables still have",
  ({ script, command, options }) => {
    const table: OptionTable = options;
    const file = join(FOLDER, "kept-secret");
    writeFileSync(file, "the-secret-of-the-file\r\n");
    const flags = [...read(script).matchAll(/ --([a-z-]+)-file `"/g)].map((match) => match[1]!);
    const variables = flags.map((flag) => Object.values(table).find((option) => option.flag === flag)!.variables[0]!);
    expect(variables).toHaveLength(2);
    for (const variable of variables) expect(read(script)).toContain(`Get-SecretFile "${variable}" `);
    const words = flags.map((flag) => `--${flag}-file=${file}`);
    const inherited = Object.fromEntries(variables.map((variable) => [variable, "the-secret-of-the-machine"]));
    const config =
      command === "serve"
        ? toServeConfig(parseOptions(command, SERVE_OPTIONS, words, inherited))
        : toWorkConfig(parseOptions(command, WORK_OPTIONS, words, inherited));
    expect(JSON.stringify(config).split("the-secret-of-the-file")).toHaveLength(3);
    expect(JSON.stringify(config)).not.toContain("the-secret-of-the-machine");
  },
);

test.each(SCRIPTS)(
  "[G7] $script runs what only administrators can change, and closes its folder before a secret is put in",
  ({ script }) => {
    const text = read(script);
    expect(text).toContain(String.raw`$Executable = "$env:ProgramFiles\ModelRelay\modelrelay.exe"`);
    const closing = text.indexOf("\nProtect-Directory $DataDirectory\n");
    expect(closing).toBeGreaterThan(0);
    expect(text.indexOf("Set-Content")).toBeGreaterThan(closing);
    expect(text.indexOf("Stop-Service", text.indexOf("$BinaryPath ="))).toBeGreaterThan(closing);
    // Windows PowerShell reads a file without a mark in the code page of the machine.
    expect(text).toMatch(/^[\n -~]*$/);
  },
);

test.each(SCRIPTS)(
  "[G7] $script names the service, a command and variables that there are, and its brackets are whole",
  ({ script, service, command, options }) => {
    const text = read(script);
    expect(text).toContain(`"${service}"`);
    expect(text).toContain(`$Command = "${command}"`);
    const known = new Set(Object.values<OptionTable[string]>(options).flatMap(({ variables }) => variables));
    const used = [...text.matchAll(/^ {4}([A-Z_]+) = |\$Environment\["([A-Z_]+)"\]|@\{ ([A-Z_]+) = /gm)].map(
      (match) => match[1] ?? match[2] ?? match[3]!,
    );
    expect(used.length).toBeGreaterThan(3);
    expect(used.filter((name) => !known.has(name))).toEqual([]);
    // Every variable of the script that is read was written: set, a parameter, or PowerShell's own.
    const code = text.replaceAll(/<#[\s\S]*?#>|^\s*#.*$/gm, "");
    const written = new Set(
      [...code.matchAll(/\$(\w+)\s*(?==[^=])|\]\$(\w+)|foreach \(\$(\w+)/g)].map((match) =>
        (match[1] ?? match[2] ?? match[3])!.toLowerCase(),
      ),
    );
    const own = new Set(["null", "true", "false", "_", "env", "lastexitcode"]);
    const readOnes = [...code.matchAll(/(?<!`)\$\{?(\w+)/g)].map((match) => match[1]!.toLowerCase());
    expect(readOnes.filter((name) => !written.has(name) && !own.has(name))).toEqual([]);
    for (const [open, close] of ["()", "{}", "[]"]) {
      expect([open, code.split(open!).length]).toEqual([open, code.split(close!).length]);
    }
    for (const line of code.split("\n")) expect([line, line.replaceAll('`"', "").split('"').length % 2]).toEqual([line, 1]);
  },
);
