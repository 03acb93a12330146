// Whether a service that was started is still there a moment later, by what the managers say of it.
import { expect, test } from "bun:test";
import { installedNames } from "../../src/cli/service/ask-manager.ts";
import { servicesElsewhere } from "../../src/cli/service/elsewhere.ts";
import { install } from "../../src/cli/service/install.ts";
import { programOf, thisMachine } from "../../src/cli/service/machine.ts";
import { type Standing, standingUnderLaunchd, standingUnderSystemd, watchStart } from "../../src/service/standing.ts";
import { hastyClock } from "../support/hasty-clock.ts";
import { failureOf } from "../support/until.ts";
import { StandIn } from "./stand-in.ts";

const INSTALL = ["--user", "--listen", "127.0.0.1:8099", "--worker-secret", "a-secret-of-enough-length"];

async function installHere(here: StandIn): Promise<string> {
  let said = "";
  const tell = (text: string) => void (said += text);
  const env = { PATH: `${here.home}/bin`, HOME: here.home, XDG_CONFIG_HOME: `${here.home}/.config` };
  await install("serve", INSTALL, { env, clock: hastyClock(), print: tell, tell });
  return said;
}

function show(active: string, sub: string, restarts: number, code: number, status: number): string {
  return `ActiveState=${active}\nSubState=${sub}\nNRestarts=${restarts}\nExecMainCode=${code}\nExecMainStatus=${status}\n`;
}

test.each<[string, string, Standing]>([
  ["runs", show("active", "running", 0, 0, 0), { kind: "up" }],
  ["is on its way", show("activating", "start", 0, 0, 0), { kind: "starting" }],
  ["waits to be tried again", show("activating", "auto-restart", 0, 1, 1), { kind: "down", end: "exit code 1" }],
  ["runs for the second time", show("active", "running", 1, 1, 1), { kind: "down", end: "exit code 1" }],
  ["is given up", show("failed", "failed", 0, 1, 2), { kind: "down", end: "exit code 2" }],
  ["was killed", show("failed", "failed", 0, 2, 9), { kind: "down", end: "signal 9" }],
  ["ended well", show("inactive", "dead", 0, 1, 0), { kind: "down", end: "exit code 0" }],
  ["nobody knows of", "\n", { kind: "unknown" }],
])("[G11] under systemd a service that %s", (_what, out, standing) => {
  expect(standingUnderSystemd(out)).toEqual(standing);
});

test.each<[string, number, string, Standing]>([
  ["runs", 0, "\tstate = running\n\truns = 1\n\tpid = 3\n\tlast exit code = (never exited)\n", { kind: "up" }],
  ["is on its way", 0, "\tstate = spawn scheduled\n\tlast exit code = (never exited)\n", { kind: "starting" }],
  ["ended", 0, "\tstate = spawn scheduled\n\truns = 1\n\tlast exit code = 2\n", { kind: "down", end: "exit code 2" }],
  [
    "was started again",
    0,
    "\tstate = running\n\truns = 2\n\tlast exit code = 1: operation not permitted\n",
    { kind: "down", end: "exit code 1" },
  ],
  ["was killed", 0, "\tstate = not running\n\tlast terminating signal = Killed: 9\n", { kind: "down", end: "signal Killed: 9" }],
  ["is not loaded", 113, "Could not find service", { kind: "unknown" }],
])("[G11] under launchd a service that %s", (_what, code, out, standing) => {
  expect(standingUnderLaunchd(code, out)).toEqual(standing);
});

test("[G11] a service is looked at for 2 s, and no longer once it is gone", async () => {
  const clock = hastyClock();
  const looks: number[] = [];
  const look = async (): Promise<Standing> => {
    looks.push(clock.nowMs());
    return { kind: "up" };
  };
  expect(await watchStart(look, clock)).toEqual({ kind: "up" });
  expect([looks[0], looks.at(-1), looks.length]).toEqual([0, 2_000, 9]);

  const steps: Standing[] = [{ kind: "starting" }, { kind: "up" }, { kind: "down", end: "exit code 2" }, { kind: "up" }];
  expect(await watchStart(async () => steps.shift()!, hastyClock())).toEqual({ kind: "down", end: "exit code 2" });
  expect(steps).toHaveLength(1);
});

test.each([
  [1, "as when its address is in use"],
  [2, "as with a setting that is refused"],
])(
  "[G11] install says of a service that ended at once with exit code %d how it ended and where its last words are",
  async (code, likely) => {
    using here = new StandIn();
    here.answer("show", { code: 0, out: show("failed", "failed", 0, 1, code) });
    const said = String(await failureOf(installHere(here)));
    expect(said).toContain(`modelrelay-server is installed and was started, but ended with exit code ${code}, ${likely}.`);
    expect(said).toEndWith("Its last words: journalctl --user -u modelrelay-server -n 50");
    expect(said).not.toContain("runs now");
    expect(here.calls.at(-1)).toStartWith("--user show --property=ActiveState,");
  },
);

test("[G11] install says that a service runs only when it still does, and what nobody knows it does not claim", async () => {
  using here = new StandIn();
  here.answer("show", { code: 0, out: show("active", "running", 0, 0, 0) });
  expect(await installHere(here)).toContain("modelrelay-server is installed: it runs now, and starts when you log in\n");
  here.answer("show", { code: 0, out: show("activating", "start", 0, 0, 0) });
  expect(await installHere(here)).toContain("modelrelay-server is installed: it is still starting, and");
  here.answer("show", { code: 1, err: "Connection timed out" });
  expect(await installHere(here)).toContain("modelrelay-server is installed: it was started, and");
});

test("[G4] of a service that is not there it is said which there are: of the user, of the machine, of another name", async () => {
  using here = new StandIn();
  const env = { PATH: `${here.home}/bin`, HOME: here.home, XDG_CONFIG_HOME: `${here.home}/.config` };
  const [system, user] = [thisMachine(false, env), thisMachine(true, env)];
  const work = { role: "work", name: null } as const;
  expect(await servicesElsewhere(work, system, env)).toEqual([]);
  for (const name of ["", "-gpu1", "-gpu0", ".d", "-gpu0.service.d"])
    here.write(`.config/systemd/user/modelrelay-worker${name}.service`, "");
  here.write(".config/systemd/user/modelrelay-server.service", "");
  expect(await installedNames("work", user)).toEqual([null, "gpu0", "gpu1"]);
  expect(await servicesElsewhere(work, system, env)).toEqual([
    "with --user there is one without a name",
    "with --user there are work services named gpu0, gpu1: --name says which",
  ]);
  expect(await servicesElsewhere({ role: "work", name: "gpu2" }, user, env)).toEqual([
    "there is one without a name",
    "there are work services named gpu0, gpu1: --name says which",
  ]);
  // The machine's own units, in a place of the test's.
  const places = { ...system.places, definitions: user.places.definitions };
  expect(await servicesElsewhere({ role: "serve", name: "x" }, { ...system, places }, { ...env, XDG_CONFIG_HOME: "/nonexistent" })).toEqual(
    ["there is one without a name"],
  );

  const status = await here.run(["status", "work", "--user", "--name", "gpu7"]);
  expect([status.code, status.err]).toEqual([
    1,
    "there is one without a name\nthere are work services named gpu0, gpu1: --name says which\n",
  ]);
  const gone = await here.run(["uninstall", "work", "--user", "--name", "gpu7"]);
  expect([gone.code, gone.err]).toEqual([1, expect.stringContaining("; there are work services named gpu0, gpu1: --name says which\n")]);
});

test("[G7] the tools of Windows are run from its own folder, wherever the command is called", () => {
  const windows = { SystemRoot: String.raw`D:\Win` };
  expect(programOf("sc.exe", "win32", windows)).toBe(String.raw`D:\Win\System32\sc.exe`);
  expect(programOf("net.exe", "win32", {})).toBe(String.raw`C:\Windows\System32\net.exe`);
  expect(programOf(String.raw`C:\x\sc.exe`, "win32", windows)).toBe(String.raw`C:\x\sc.exe`);
  expect(programOf("systemctl", "linux", {})).toBe("systemctl");
});
