// The definitions that install writes, judged by the programs that read them: systemd's own and a reader of property lists.
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { AnyOption } from "../../src/cli/options/option.ts";
import { ROLE_OPTIONS } from "../../src/cli/service/request.ts";
import { planLaunchdInstall } from "../../src/service/launchd.ts";
import { describeSteps } from "../../src/service/perform.ts";
import { SECRETS_IN_FILES } from "../../src/service/secret-files.ts";
import type { Places, Service, Step } from "../../src/service/service.ts";
import { planSystemdInstall, planSystemdUninstall, SANDBOX } from "../../src/service/systemd.ts";
import { planWindowsInstall } from "../../src/service/windows.ts";
import { canReadPropertyLists, readPropertyList } from "./property-list.ts";

const FOLDER = mkdtempSync(join(tmpdir(), "units-"));
afterAll(() => rmSync(FOLDER, { recursive: true }));

const SYSTEM: Places = { scope: "system", uid: 0, definitions: "/etc/systemd/system", settings: "/etc/modelrelay" };
const USER: Places = { scope: "user", uid: 1000, definitions: "/Users/u/.config/systemd/user", settings: "/Users/u/.config/modelrelay" };
// A program that is there, so that systemd has nothing to say about it.
const PROGRAM = ["/bin/true"];

const HOSTILE: Service = {
  role: "work",
  name: "gpu0",
  program: PROGRAM,
  flags: [
    '--worker-name=50% "off" $HOME; \\ it\'s',
    "--models=a b,${X},%i,*",
    "--worker-secret-file=/etc/a b%/secret",
    "--backend-url=http://127.0.0.1:8000/?a=1&b=2",
  ],
  inputs: new Map([["worker-secret-file", "/etc/a b%/secret"]]),
  writes: ['/var/log/my "logs" 100%'],
  secrets: [{ flag: "backend-api-key", variable: "BACKEND_API_KEY", fileFlag: "backend-api-key-file", value: 'a"b$c`d\\e%f' }],
  drainTimeoutMs: 90_000,
  port: null,
};

const PLAIN: Service = {
  ...HOSTILE,
  role: "serve",
  name: null,
  flags: ["--listen=0.0.0.0:8080"],
  inputs: new Map(),
  writes: [],
  secrets: [],
  port: 8080,
};

function fileOf(steps: readonly Step[], ending: string): Step & { kind: "write" } {
  const step = steps.find((step) => step.kind === "write" && step.path.endsWith(ending));
  if (step?.kind !== "write") throw new Error(`nothing is written to ${ending}`);
  return step;
}

function analyze(...args: readonly string[]): { readonly code: number; readonly text: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["systemd-analyze", ...args], { cwd: FOLDER });
  return { code: exitCode, text: `${stdout.toString()}${stderr.toString()}`.trim() };
}

const hasSystemd = Bun.which("systemd-analyze") !== null;
if (!hasSystemd) console.warn("the tests of units need systemd-analyze, and are left out");

test.if(hasSystemd).each([
  ["hostile", HOSTILE, SYSTEM],
  ["hostile", HOSTILE, USER],
  ["plain", PLAIN, SYSTEM],
  ["plain", PLAIN, USER],
  ["low port", { ...PLAIN, port: 443 }, SYSTEM],
] as const)("[G4] systemd has nothing to say about a written unit: %s", (_, service, places) => {
  const { text } = fileOf(planSystemdInstall(service, places), ".service");
  writeFileSync(join(FOLDER, "written.service"), text);
  expect(analyze("verify", "./written.service")).toEqual({ code: 0, text: "" });
});

test.if(hasSystemd)("[G4] a unit of the machine is locked up, also with a port below 1024", () => {
  for (const port of [8080, 443]) {
    const { text } = fileOf(planSystemdInstall({ ...PLAIN, port }, SYSTEM), ".service");
    writeFileSync(join(FOLDER, "locked.service"), text);
    const exposure = Number(/exposure level for .*: (\d+\.\d)/.exec(analyze("security", "--offline=yes", "./locked.service").text)?.[1]);
    expect(exposure).toBeLessThan(2.0);
    expect(text.includes("CapabilityBoundingSet=CAP_NET_BIND_SERVICE\n")).toBe(port === 443);
  }
});

test("[G4] the sandbox is the one of the units in extras, and a stop has time for the drain", () => {
  const shipped = readFileSync(new URL("../../extras/modelrelay-server.service", import.meta.url), "utf8").split("\n");
  expect(shipped).toEqual(expect.arrayContaining([...SANDBOX]));
  const { text } = fileOf(planSystemdInstall(HOSTILE, SYSTEM), ".service");
  expect(text).toContain("TimeoutStopSec=105\n");
  expect(text).toContain("KillMode=mixed\n");
});

test("[G5] secrets given as values are in no definition and no command line, and their file is its owner's alone", () => {
  const secret = HOSTILE.secrets[0]!.value;
  const plans = [
    planSystemdInstall(HOSTILE, SYSTEM),
    planSystemdInstall(HOSTILE, USER),
    planLaunchdInstall(HOSTILE, SYSTEM),
    planWindowsInstall(HOSTILE, SYSTEM, false),
  ];
  for (const steps of plans) {
    const holding = steps.filter(
      (step) => JSON.stringify(step).includes("BACKEND_API_KEY=") || JSON.stringify(step).includes(JSON.stringify(secret).slice(1, -1)),
    );
    expect(holding.length).toBe(1);
    expect(holding[0]).toMatchObject({ kind: "write", mode: 0o600, isSecret: true });
  }
});

test("[G5] a secret that is not given any more is removed where an earlier install wrote it", () => {
  const removedBy = (steps: readonly Step[]) => steps.flatMap((step) => (step.kind === "remove" ? [basename(step.path)] : []));
  for (const [plan, name] of [
    [planLaunchdInstall, "ai.modelrelay.worker.gpu0"],
    [(service: Service, places: Places) => planWindowsInstall(service, places, true), "ModelRelayWorker-gpu0"],
  ] as const) {
    expect(removedBy(plan(HOSTILE, SYSTEM))).toEqual([`${name}.worker-secret`]);
    expect(removedBy(plan({ ...HOSTILE, secrets: [] }, SYSTEM))).toEqual([`${name}.worker-secret`, `${name}.backend-api-key`]);
  }
});

test("[G5] every secret that has an option for a file has a place of its own", () => {
  for (const role of ["serve", "work"] as const) {
    const flags = Object.values<AnyOption>(ROLE_OPTIONS[role]).map(({ flag }) => flag);
    expect(flags.filter((flag) => flags.includes(`${flag}-file`))).toEqual([...SECRETS_IN_FILES[role]]);
  }
});

test("[G5] what a dry run shows has no secret in it, whatever that begins with", () => {
  const secret = "# looks like a comment";
  const service: Service = { ...HOSTILE, secrets: [{ ...HOSTILE.secrets[0]!, value: secret }] };
  for (const steps of [
    planSystemdInstall(service, SYSTEM),
    planLaunchdInstall(service, SYSTEM),
    planWindowsInstall(service, SYSTEM, false),
  ]) {
    const shown = describeSteps(steps);
    expect(shown).not.toContain("looks like");
    expect(shown).toContain("(secret)");
  }
});

test("[G5] files of secrets reach a unit of the machine as credentials, whoever owns them", () => {
  const { text } = fileOf(planSystemdInstall(HOSTILE, SYSTEM), ".service");
  expect(text).toContain("\nLoadCredential=worker-secret-file:/etc/a b%%/secret\n");
  expect(text).toContain('"--worker-secret-file=${CREDENTIALS_DIRECTORY}/worker-secret-file"');
  const own = fileOf(planSystemdInstall(HOSTILE, USER), ".service").text;
  expect(own).toContain('"--worker-secret-file=/etc/a b%%/secret"');
  expect(own).not.toContain("LoadCredential");
});

test("[G5] a path that no unit can hold is refused by name", () => {
  const inputs = new Map([["config", "/etc/ends in \\"]]);
  expect(() => planSystemdInstall({ ...HOSTILE, inputs }, SYSTEM)).toThrow(/ends in/);
});

test("[G4] uninstall stops before it removes, and what is removed is what install writes", () => {
  const installed = planSystemdInstall(HOSTILE, SYSTEM).flatMap((step) => (step.kind === "write" ? [step.path] : []));
  const steps = planSystemdUninstall(HOSTILE, SYSTEM);
  expect(steps[0]).toEqual({ kind: "run", command: ["systemctl", "disable", "--now", "modelrelay-worker-gpu0.service"], mayFail: true });
  expect(steps.flatMap((step) => (step.kind === "remove" ? [step.path] : [])).sort()).toEqual([...installed].sort());
});

test.if(canReadPropertyLists)("[G6] a written property list is one, and says what was meant", () => {
  const { text } = fileOf(planLaunchdInstall(HOSTILE, SYSTEM), ".plist");
  const path = join(FOLDER, "written.plist");
  writeFileSync(path, text);
  expect(readPropertyList(path)).toMatchObject({
    Label: "ai.modelrelay.worker.gpu0",
    ProgramArguments: [
      ...PROGRAM,
      "work",
      ...HOSTILE.flags,
      "--backend-api-key-file=/etc/modelrelay/ai.modelrelay.worker.gpu0.backend-api-key",
    ],
    RunAtLoad: true,
    KeepAlive: { SuccessfulExit: false },
    ExitTimeOut: 105,
  });
});

test("[G7] Windows gets the whole command line in one piece, restarts after failures and an event source", () => {
  const places = { ...SYSTEM, settings: String.raw`C:\ProgramData\modelrelay` };
  const commandsOf = (isThere: boolean) =>
    planWindowsInstall(HOSTILE, places, isThere).flatMap((step) => (step.kind === "run" ? [step.command] : []));
  const commands = commandsOf(false);
  const create = commands.find(([program, verb]) => program === "sc.exe" && verb === "create")!;
  expect(create.slice(2, 4)).toEqual(["ModelRelayWorker-gpu0", "binPath="]);
  expect(create[4]).toStartWith(String.raw`/bin/true work "--worker-name=50% \"off\" $HOME; \ it's" "--models=a b,`);
  expect(create[4]).toContain("ModelRelayWorker-gpu0.backend-api-key");
  const ofVerb = (verb: string) => commands.filter((command) => command[1] === verb).length;
  expect([ofVerb("failure"), ofVerb("failureflag"), ofVerb("start"), ofVerb("add")]).toEqual([1, 1, 1, 2]);
  expect(commands.find(([program]) => program === "icacls.exe")).toContain("/inheritance:r");
  // One that is there is stopped and made what is asked for now.
  const again = commandsOf(true);
  expect(again.filter(([, verb]) => verb === "create")).toEqual([]);
  const config = again.findIndex(([, verb]) => verb === "config");
  expect(again[config]).toEqual(["sc.exe", "config", ...create.slice(2)]);
  expect(again[config - 1]).toEqual(["net.exe", "stop", "ModelRelayWorker-gpu0"]);
});
