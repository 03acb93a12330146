// Who gets at what a service of Windows keeps and runs, judged by rights as Windows has them in its usual places.
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeSteps, perform, type PerformWorld } from "../../src/service/perform.ts";
import type { Places, Service, Step } from "../../src/service/service.ts";
import { planWindowsInstall, planWindowsUninstall } from "../../src/service/windows.ts";
import { makeOwnFolder, warningOf, withFolders } from "../../src/service/windows-guard.ts";
import { type Security, strangeOwner, strangersWith } from "../../src/service/windows-rights.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { failureOf } from "../support/until.ts";

const FOLDER = mkdtempSync(join(tmpdir(), "rights-"));
afterAll(() => rmSync(FOLDER, { recursive: true }));

const SELF = "S-1-5-21-1111-2222-3333-1001";
const SOMEBODY = "S-1-5-21-1111-2222-3333-1002";
const INSTALLER = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";
const CLOSED = "O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";
const IN_DRIVE = "O:BAD:AI(A;OICIID;FA;;;BA)(A;OICIID;FA;;;SY)(A;OICIID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)(A;OICIIOID;SDGXGWGR;;;AU)";
const IN_PROGRAM_DATA = "O:BAD:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIIOID;GA;;;CO)(A;OICIID;0x1200a9;;;BU)(A;CIID;DCLCRPCR;;;BU)";
const IN_PROGRAM_FILES =
  `O:${INSTALLER}D:PAI(A;;FA;;;${INSTALLER})(A;CIIO;GA;;;${INSTALLER})(A;;0x1301bf;;;SY)(A;OICIIO;GA;;;SY)(A;;0x1301bf;;;BA)` +
  "(A;OICIIO;GA;;;BA)(A;;0x1200a9;;;BU)(A;OICIIO;GXGR;;;BU)(A;OICIIO;GA;;;CO)(A;;0x1200a9;;;AC)(A;OICIIO;GXGR;;;AC)";

const security = (text: string): Security => ({ text, self: SELF });

test.each<[string, string, readonly string[], readonly string[]]>([
  ["Program Files", IN_PROGRAM_FILES, [], ["every user", "AC"]],
  [String.raw`a folder of C:\ `, IN_DRIVE, ["every user"], ["every user"]],
  ["a folder of ProgramData", IN_PROGRAM_DATA, ["every user"], ["every user"]],
  ["a closed folder", CLOSED, [], []],
  ["a folder of the administrator who asks", `O:${SELF}D:(A;OICI;FA;;;SY)(A;OICI;FA;;;${SELF})`, [], []],
  ["a closed folder of somebody", `O:${SOMEBODY}D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)`, [SOMEBODY], [SOMEBODY]],
  ["a folder that a lesser account of services may read", `${CLOSED}(A;OICI;FR;;;LS)(A;OICI;FR;;;S-1-5-80-1-2)`, [], []],
  ["a file that may only be read", `${CLOSED}(A;;FR;;;BU)`, [], ["every user"]],
  ["a file whose rights somebody may give", `${CLOSED}(A;;WD;;;${SOMEBODY})`, [SOMEBODY], [SOMEBODY]],
  ["a file that is forbidden to somebody", `${CLOSED}(D;;FA;;;${SOMEBODY})`, [], []],
  ["rights that only a condition gives", `${CLOSED}(XA;;GW;;;WD;(@User.Project Any_of {1}))`, ["everyone"], []],
  ["a disk without rights", "O:BAD:NO_ACCESS_CONTROL", ["everyone"], ["everyone"]],
  ["a disk that does not say", "", ["nobody that is known", "everyone"], ["nobody that is known", "everyone"]],
])("[G7] who may change and read %s", (_where, text, change, read) => {
  expect(strangersWith("change", security(text))).toEqual(change);
  expect(strangersWith("read", security(text))).toEqual(read);
});

test("[G7] owners that an ordinary user cannot be are no strangers", () => {
  for (const owner of ["SY", "BA", "LA", INSTALLER, SELF, "S-1-5-21-4-5-6-500", "S-1-5-21-4-5-6-512"]) {
    expect([owner, strangeOwner(security(`O:${owner}G:SYD:PAI`))]).toEqual([owner, null]);
  }
  for (const owner of [SOMEBODY, "S-1-5-21-4-5-6-5000"]) expect(strangeOwner(security(`O:${owner}D:PAI`))).toBe(owner);
});

test("[G7] a folder that is not there is made, and one that an administrator made is taken", () => {
  const path = join(FOLDER, "own");
  const unasked = () => {
    throw new Error("nobody else can have made it");
  };
  makeOwnFolder(path, unasked);
  expect(statSync(path).isDirectory()).toBe(true);
  makeOwnFolder(path, () => security(IN_PROGRAM_DATA));
});

test("[G7] a folder that somebody else made beforehand is refused, before anything is written or run", async () => {
  const settings = join(FOLDER, "planted");
  mkdirSync(settings);
  const steps = planWindowsInstall(SERVICE, { ...PLACES, settings }, false);
  const ran: string[] = [];
  const run = async (command: readonly string[]) => {
    ran.push(command[0] ?? "");
    return { code: 0, out: "", err: "" };
  };
  for (const answer of [security(`O:${SOMEBODY}${CLOSED.slice(4)}`), null]) {
    const world: PerformWorld = { run, clock: new ManualClock(), tell: () => {}, securityOf: () => answer };
    const said = String(await failureOf(perform(steps, world)));
    expect(said).toContain(`${settings} was not made by an administrator but by ${answer === null ? "somebody who" : SOMEBODY}`);
    expect([ran, readdirSync(settings)]).toEqual([[], []]);
  }
});

const PLACES: Places = { scope: "system", uid: 0, definitions: "x", settings: String.raw`C:\ProgramData\modelrelay` };
const PROGRAM = String.raw`C:\ModelRelay\modelrelay.exe`;
const SERVICE: Service = {
  role: "serve",
  name: null,
  program: [PROGRAM],
  flags: [String.raw`--data-dir=D:\keys`],
  inputs: new Map([["worker-secret-file", String.raw`C:\ModelRelay\worker-secret`]]),
  writes: [],
  secrets: [{ flag: "admin-token", variable: "MODELRELAY_ADMIN_TOKEN", fileFlag: "admin-token-file", value: "a-token" }],
  drainTimeoutMs: 1_000,
  port: 8080,
};

test("[G7] the folder of secrets is closed before one is put in", () => {
  const steps = planWindowsInstall(SERVICE, PLACES, false);
  expect(steps.slice(0, 2)).toEqual([
    { kind: "own-folder", path: PLACES.settings },
    {
      kind: "run",
      command: ["icacls.exe", PLACES.settings, "/inheritance:r", "/grant:r", "*S-1-5-18:(OI)(CI)F", "*S-1-5-32-544:(OI)(CI)F"],
      mayFail: false,
    },
  ]);
  expect(steps[2]).toMatchObject({ kind: "write", isSecret: true });
  const isClosing = (plan: readonly Step[]) => plan.some(({ kind }) => kind === "own-folder");
  const plain = { ...SERVICE, secrets: [] };
  expect(isClosing(planWindowsInstall(plain, PLACES, false))).toBe(false);
  // The key store may be put there too.
  const flags = [String.raw`--data-dir=c:\programdata\ModelRelay\server`];
  expect(isClosing(planWindowsInstall({ ...plain, flags }, PLACES, false))).toBe(true);
});

test("[G7] install warns of an executable, keys and secrets that ordinary users get at, and of nothing else", async () => {
  const rights = new Map<string, string>();
  const warned = async () => {
    const said: string[] = [];
    for (const step of planWindowsInstall(SERVICE, PLACES, false)) {
      if (step.kind !== "warn") continue;
      const world = {
        run: async () => ({ code: 0, out: "", err: "" }),
        clock: new ManualClock(),
        tell: (text: string) => void said.push(text),
        securityOf: (path: string) => security(rights.get(path) ?? CLOSED),
      };
      await perform([step], world);
    }
    return said;
  };
  expect(await warned()).toEqual([]);
  for (const path of [PROGRAM, String.raw`C:\ModelRelay`, String.raw`D:\keys`]) rights.set(path, IN_DRIVE);
  rights.set(String.raw`C:\ModelRelay\worker-secret`, IN_DRIVE);
  rights.set(PLACES.settings, `${CLOSED}(A;OICI;FR;;;${SOMEBODY})`);
  expect(await warned()).toEqual([
    `warning: C:\\ProgramData\\modelrelay can be read by ${SOMEBODY}: close it as docs/windows.md says\n`,
    `warning: ${PROGRAM} can be changed by every user, and the service runs it as the system: put it below C:\\Program Files, or close it as docs/windows.md says\n`,
    "warning: D:\\keys can be changed by every user, who could put keys of their own there: close it as docs/windows.md says\n",
    "warning: C:\\ModelRelay\\worker-secret can be read by every user: close it as docs/windows.md says\n",
  ]);
  const paths = withFolders([PROGRAM]);
  expect(paths).toEqual([PROGRAM, String.raw`C:\ModelRelay`]);
  // Who may put another file in the place of one that is closed.
  const inFolder = { paths, access: "change", so: "." } as const;
  expect(warningOf(inFolder, (path) => security(path === PROGRAM ? CLOSED : IN_DRIVE))).toBe(
    String.raw`warning: C:\ModelRelay can be changed by every user.`,
  );
  expect(warningOf(inFolder, () => null)).toBe(null);
});

test("[G7] a dry run says what is made, closed and looked at", () => {
  const text = describeSteps(planWindowsInstall(SERVICE, PLACES, false));
  expect(text).toContain("# make this folder; one that is there has to be an administrator's\nC:\\ProgramData\\modelrelay\n");
  expect(text).toContain(`# warn when ordinary users may change it\n${PROGRAM}\nC:\\ModelRelay\n`);
});

test("[G4] the last service of a role takes its source in the Event Log along, and no other does", () => {
  const deleted = (isLast: boolean) =>
    planWindowsUninstall({ role: "work", name: "gpu0" }, PLACES, isLast).flatMap((step) =>
      step.kind === "run" && step.command[0] === "reg.exe" ? [step.command] : [],
    );
  const key = String.raw`HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\EventLog\Application\ModelRelayWorker`;
  expect(deleted(true)).toEqual([["reg.exe", "delete", key, "/f"]]);
  expect(deleted(false)).toEqual([]);
});
