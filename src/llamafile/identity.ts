// Which process is meant: a number alone is used again for another one, a number with its start time is not.
import { readFileSync } from "node:fs";
import * as v from "valibot";

export const Identity = v.object({
  pid: v.pipe(v.number(), v.safeInteger(), v.minValue(2)),
  /** When it started, as the system writes it; only ever compared. */
  started: v.pipe(v.string(), v.minLength(1)),
});

export type Identity = v.InferOutput<typeof Identity>;

/** Null when there is no such process (any more), or it has ended and waits to be collected. */
export function identify(pid: number): Identity | null {
  const started = process.platform === "linux" ? startOnLinux(pid) : startByTool(pid);
  return started === null ? null : { pid, started };
}

export function isAlive(identity: Identity | null): identity is Identity {
  return identity !== null && identify(identity.pid)?.started === identity.started;
}

/** Sends the signal to this very process; nothing happens when it is gone. */
export function signalProcess(identity: Identity | null, signal: NodeJS.Signals): void {
  if (isAlive(identity)) send(identity.pid, signal);
}

/** To the process and all it has started, as long as they stay in the group that it leads. */
export function signalGroup(identity: Identity | null, signal: NodeJS.Signals): void {
  if (!isAlive(identity)) return;
  if (process.platform === "win32" || !send(-identity.pid, signal)) send(identity.pid, signal);
}

/** False when there is nobody (any more) to get it. */
function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

const TOOL_LIMIT_MS = 10_000;

// By its whole path: Windows would look for the bare name in the current directory first.
const POWERSHELL = String.raw`${process.env["SystemRoot"] ?? String.raw`C:\Windows`}\System32\WindowsPowerShell\v1.0\powershell.exe`;

/** Clock ticks since the machine started, and which start of the machine that was. */
function startOnLinux(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in brackets may hold anything, brackets and spaces too.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const [state, ticks] = [fields[0], fields[19]];
    if (ticks === undefined || state === "Z" || state === "X") return null;
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}/${ticks}`;
  } catch {
    return null;
  }
}

function startByTool(pid: number): string | null {
  const command =
    process.platform === "win32"
      ? [POWERSHELL, "-NoProfile", "-NonInteractive", "-Command", `(Get-Process -Id ${pid}).StartTime.ToFileTimeUtc()`]
      : ["ps", "-o", "lstart=", "-p", String(pid)];
  try {
    const done = Bun.spawnSync(command, {
      stdin: "ignore",
      stderr: "ignore",
      timeout: TOOL_LIMIT_MS,
      env: { ...process.env, LC_ALL: "C" },
    });
    const text = done.stdout.toString().trim();
    return done.exitCode === 0 && text !== "" ? text : null;
  } catch {
    return null;
  }
}
