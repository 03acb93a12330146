// What kind of machine this is: which service manager it has, where that one's files go, and how programs are run.
import { homedir } from "node:os";
import { isAbsolute, join, win32 } from "node:path";
import { CommandError, UsageError } from "../../base/errors.ts";
import type { CommandResult, RunCommand } from "../../service/perform.ts";
import { toShellCommand } from "../../service/quoting.ts";
import type { Manager, Places, Scope } from "../../service/service.ts";
import { systemctlOf } from "../../service/systemd.ts";
import type { Environment } from "../options/parse.ts";
import { userHome } from "../user-home.ts";

export interface Machine {
  readonly manager: Manager;
  readonly places: Places;
  /** For what changes something: it may take as long as a drain, whose limit is the manager's. */
  readonly run: RunCommand;
  /** For what is only asked. */
  readonly ask: RunCommand;
}

/** @throws CommandError on a machine without a service manager this program knows */
export function thisMachine(isUserAsked: boolean, env: Environment): Machine {
  const uid = process.getuid?.() ?? 0;
  const scope: Scope = isUserAsked ? "user" : "system";
  const [run, ask] = [createRunner(env), createRunner(env, ASK_LIMIT_MS)];
  const home = userHome(() => env["HOME"] ?? homedir());
  if (isUserAsked && home === null) throw new CommandError("--user: a service of your own needs a home directory, and this user has none");
  if (process.platform === "linux") {
    // One that is empty or relative counts for nothing (XDG Base Directory Specification).
    const named = env["XDG_CONFIG_HOME"] ?? "";
    const config = isAbsolute(named) ? named : join(home ?? "/", ".config");
    const places =
      scope === "user"
        ? { scope, uid, definitions: join(config, "systemd/user"), settings: join(config, "modelrelay") }
        : { scope, uid, definitions: "/etc/systemd/system", settings: "/etc/modelrelay" };
    return { manager: "systemd", places, run, ask };
  }
  if (process.platform === "darwin") {
    const support = join(home ?? "/", "Library/Application Support/modelrelay");
    const places =
      scope === "user"
        ? { scope, uid, definitions: join(home ?? "/", "Library/LaunchAgents"), settings: support }
        : { scope, uid, definitions: "/Library/LaunchDaemons", settings: "/Library/Application Support/modelrelay" };
    return { manager: "launchd", places, run, ask };
  }
  if (process.platform === "win32") {
    if (isUserAsked) throw new UsageError("--user: services of Windows belong to the machine; leave the flag out");
    const settings = join(env["ProgramData"] ?? String.raw`C:\ProgramData`, "modelrelay");
    return { manager: "windows", places: { scope, uid, definitions: settings, settings }, run, ask };
  }
  throw new CommandError(`there is no way to install a service on ${process.platform}. ${BY_OTHER_MEANS}`);
}

/** @throws CommandError when the manager is not there or not in charge, or this user may not ask it */
export async function checkMachine({ manager, places, ask }: Machine, env: Environment): Promise<void> {
  if (manager === "windows") {
    // It lists filters of file systems, which is refused to all but administrators, needs no service and has no words that count.
    // Where it is missing, sc.exe itself will say what is not allowed.
    const { code } = await ask(["fltmc.exe"]);
    if (code === 0 || code === NOT_FOUND) return;
    throw new CommandError("services are installed by administrators: run this in a terminal started as administrator");
  }
  if (places.scope === "system" && places.uid !== 0) {
    throw new CommandError("a service of the machine is installed by root: run this with sudo, or give --user for a service of your own");
  }
  const program = manager === "systemd" ? "systemctl" : "launchctl";
  if (Bun.which(program, { PATH: env["PATH"] ?? "" }) === null) {
    throw new CommandError(`${program} is not on the PATH: services are not managed by ${manager} here. ${BY_OTHER_MEANS}`);
  }
  if (manager === "systemd") await checkSystemd(places.scope, ask);
}

/** An older one ignores what it does not know, as LoadCredential=, and the service would not find its secret. @throws CommandError */
export async function checkSystemdVersion(ask: RunCommand): Promise<void> {
  const { out } = await ask(["systemctl", "--version"]);
  const version = Number(/^systemd (\d+)/m.exec(out)?.[1] ?? NaN);
  if (!(version < SYSTEMD_MIN)) return;
  throw new CommandError(
    `systemd ${version} is too old for a service of the machine, which takes ${SYSTEMD_MIN}: give --user for a service of your own, ` +
      "or write a plain unit around the same command line",
  );
}

// LoadCredential= and ProtectProc= are of 247 (systemd's NEWS).
const SYSTEMD_MIN = 247;

/** systemctl is there in many containers in which systemd is not in charge. */
export async function checkSystemd(scope: Scope, ask: RunCommand): Promise<void> {
  const { out, err } = await ask([...systemctlOf({ scope }), "is-system-running"]);
  const isAbsent = /^offline$/m.test(out) || /not been booted with systemd|failed to connect to bus/i.test(err);
  if (!isAbsent) return;
  if (scope === "user") {
    throw new CommandError(
      "systemd manages no services of this user here. Log in without su or sudo, or install a service of the machine as root",
    );
  }
  throw new CommandError(`systemd is not in charge of this machine. ${BY_OTHER_MEANS}`);
}

const BY_OTHER_MEANS =
  "In a container, let its own restart policy run 'modelrelay serve' or 'modelrelay work'; in WSL, set systemd=true in /etc/wsl.conf; " +
  "with OpenRC and others, have the init system run the same command line: it stays in the foreground and ends on SIGTERM. See docs/services.md";

/** Without a limit it waits for as long as the program takes. What it runs throws a CommandError when it takes longer. */
export function createRunner(env: Environment, limitMs: number | null = null): RunCommand {
  const limit = limitMs === null ? {} : ({ timeout: limitMs, killSignal: "SIGKILL" } as const);
  return async (command): Promise<CommandResult> => {
    const [program = "", ...words] = command;
    const child = spawnOrNull(() =>
      Bun.spawn([programOf(program, process.platform, env), ...words], {
        env: { ...env, LC_ALL: "C" },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
        ...limit,
      }),
    );
    if (child === null) return { code: NOT_FOUND, out: "", err: `${command[0]} is not there` };
    const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
    if (limitMs === null || child.signalCode !== "SIGKILL") return { code, out, err };
    throw new CommandError(`${toShellCommand(command)} did not answer in ${limitMs / 1000} s; is the service manager busy? Try again`);
  };
}

/** Windows looks for a bare name in the directory it is called in before its own: an administrator would run what lies there. */
export function programOf(name: string, platform: NodeJS.Platform, env: Environment): string {
  if (platform !== "win32" || win32.isAbsolute(name)) return name;
  return win32.join(env["SystemRoot"] ?? String.raw`C:\Windows`, "System32", name);
}

function spawnOrNull<Child>(spawn: () => Child): Child | null {
  try {
    return spawn();
  } catch {
    return null;
  }
}

// Managers answer within moments, also on a machine that is just starting.
const ASK_LIMIT_MS = 30_000;

// As shells say it.
const NOT_FOUND = 127;
