// Which process is meant: a number alone is used again for another one, a number with its start time is not.
import { readFileSync } from "node:fs";
import * as v from "valibot";
import { reasonOf } from "./reason.ts";

export const Identity = v.object({
  pid: v.pipe(v.number(), v.safeInteger(), v.minValue(2)),
  /** When it started, as the system writes it; only ever compared. */
  started: v.pipe(v.string(), v.minLength(1)),
});

export type Identity = v.InferOutput<typeof Identity>;

/** The system, as far as it is asked about processes. */
export interface ProcessWorld {
  readonly platform: NodeJS.Platform;
  /** Sends nothing; throws ESRCH when there is no such process. */
  readonly probe: (pid: number) => void;
  readonly readFile: (path: string) => string;
  /** Its exit code and what it printed. Throws, or has no exit code, when it could not be asked. */
  readonly run: (
    command: readonly string[],
    env: Readonly<Record<string, string>>,
  ) => { readonly code: number | null; readonly out: string };
}

/** Null when there is no such process (any more), it has ended and waits to be collected, or the system does not tell. */
export function identify(pid: number): Identity | null {
  const start = startOf(pid);
  return start.kind === "at" ? { pid, started: start.text } : null;
}

/** True: it is there, without a doubt. */
export function isAlive(identity: Identity | null): identity is Identity {
  return identity !== null && identify(identity.pid)?.started === identity.started;
}

/** True: it is not there, without a doubt. What cannot be told is neither alive nor gone. */
export function isGone(identity: Identity | null): boolean {
  if (identity === null) return true;
  const start = startOf(identity.pid);
  return start.kind === "none" || (start.kind === "at" && start.text !== identity.started);
}

/** Sends the signal to this very process; nothing happens when it is gone, or may be another. */
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

/** When a process started; `none`: there is no such process. */
export type Start = { readonly kind: "at"; readonly text: string } | { readonly kind: "none" } | { readonly kind: "unknown" };

const NONE: Start = { kind: "none" };
const UNKNOWN: Start = { kind: "unknown" };

/** Only the system's own word is proof that there is none: a tool that fails, or is not there, says nothing. */
export function startOf(pid: number, world: ProcessWorld = THIS_SYSTEM): Start {
  if (isNobody(pid, world)) return NONE;
  const start = world.platform === "linux" ? startOnLinux(pid, world) : startByTool(pid, world);
  return start.kind === "unknown" && isNobody(pid, world) ? NONE : start;
}

function isNobody(pid: number, { probe }: ProcessWorld): boolean {
  try {
    probe(pid);
    return false;
  } catch (error) {
    return reasonOf(error) === "ESRCH";
  }
}

/** Clock ticks since the machine started, and which start of the machine that was. */
function startOnLinux(pid: number, { readFile }: ProcessWorld): Start {
  try {
    const text = readFile(`/proc/${pid}/stat`);
    // The name in brackets may hold anything, brackets and spaces too.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const [state, ticks] = [fields[0], fields[19]];
    if (state === "Z" || state === "X") return NONE;
    return ticks === undefined ? UNKNOWN : { kind: "at", text: `${readFile("/proc/sys/kernel/random/boot_id").trim()}/${ticks}` };
  } catch {
    return UNKNOWN;
  }
}

/** In UTC: in local time one start has two texts, before and after the clocks change, and in two terminals of different zones. */
function startByTool(pid: number, { platform, run }: ProcessWorld): Start {
  const script = `(Get-Process -Id ${pid} -ErrorAction Stop).StartTime.ToFileTimeUtc()`;
  const command =
    platform === "win32" ? [POWERSHELL, "-NoProfile", "-NonInteractive", "-Command", script] : ["ps", "-o", "lstart=", "-p", String(pid)];
  try {
    const { code, out } = run(command, { LC_ALL: "C", TZ: "UTC0" });
    const text = out.trim();
    return code === 0 && text !== "" ? { kind: "at", text } : UNKNOWN;
  } catch {
    return UNKNOWN;
  }
}

const TOOL_LIMIT_MS = 10_000;

// By its whole path: Windows would look for the bare name in the current directory first.
const POWERSHELL = String.raw`${process.env["SystemRoot"] ?? String.raw`C:\Windows`}\System32\WindowsPowerShell\v1.0\powershell.exe`;

const THIS_SYSTEM: ProcessWorld = {
  platform: process.platform,
  probe: (pid) => void process.kill(pid, 0),
  readFile: (path) => readFileSync(path, "utf8"),
  run(command, env) {
    const asked = { stdin: "ignore", stderr: "ignore", timeout: TOOL_LIMIT_MS, env: { ...process.env, ...env } } as const;
    const { exitCode, stdout } = Bun.spawnSync([...command], asked);
    return { code: exitCode, out: stdout.toString() };
  },
};
