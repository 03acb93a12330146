// Does what a plan says, one step after the other, or says what it would do.
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { unreachable } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { CommandError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";
import { toShellCommand } from "./quoting.ts";
import { isSecretPath } from "./secret-files.ts";
import { MARK, type Step } from "./service.ts";
import { makeOwnFolder, type SecurityOf, warningOf } from "./windows-guard.ts";

export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a program that ends by itself. A program that is not there is exit code 127. */
export type RunCommand = (command: readonly string[]) => Promise<CommandResult>;

/** @throws CommandError when files are there that install did not write; nothing is touched then */
export function refuseForeignFiles(steps: readonly Step[]): void {
  for (const step of steps) {
    if (step.kind !== "write" || !existsSync(step.path) || isOurs(step)) continue;
    throw new CommandError(
      `${step.path} is there already and was not written by this command. Look at it, then give --force to replace it, or --name for a service beside it`,
    );
  }
}

export interface PerformWorld {
  readonly run: RunCommand;
  readonly clock: Clock;
  /** Shows a line to who called. */
  readonly tell: (text: string) => void;
  /** What Windows is asked of a file's rights; its own answer when not given. */
  readonly securityOf?: SecurityOf;
}

/** @throws CommandError at the first step that fails, naming it */
export async function perform(steps: readonly Step[], world: PerformWorld): Promise<void> {
  for (const step of steps) {
    switch (step.kind) {
      case "write":
        write(step);
        break;
      case "remove":
        remove(step.path, world.tell);
        break;
      case "run":
        await runStep(step, world);
        break;
      case "await-end":
        await runUntil((code) => code !== 0, step.command, step.limitMs, world);
        break;
      case "own-folder":
        makeOwnFolder(step.path, world.securityOf ?? (await askWindows()));
        break;
      case "warn": {
        const warning = warningOf(step, world.securityOf ?? (await askWindows()));
        if (warning !== null) world.tell(`${warning}\n`);
        break;
      }
      default:
        unreachable(step);
    }
  }
}

/** The steps as text: files with what would be in them, and commands as one would type them. Secrets are left out. */
export function describeSteps(steps: readonly Step[]): string {
  return steps.map(describeStep).join("\n");
}

function describeStep(step: Step): string {
  if (step.kind === "run") return `# run${step.mayFail ? " (may fail)" : ""}\n${toShellCommand(step.command)}\n`;
  if (step.kind === "await-end") return `# run until it fails, at most ${step.limitMs / 1000} s\n${toShellCommand(step.command)}\n`;
  if (step.kind === "remove") return `# remove, if this program wrote it\n${step.path}\n`;
  if (step.kind === "own-folder") return `# make this folder; one that is there has to be an administrator's\n${step.path}\n`;
  if (step.kind === "warn") return `# warn when ordinary users may ${step.access} it\n${step.paths.join("\n")}\n`;
  const text = step.isSecret ? step.text.split("\n").map(hideSecret).join("\n") : step.text;
  return `# write ${step.path} (mode ${step.mode.toString(8).padStart(4, "0")})\n${text}`;
}

/** Of a file of secrets: the mark and names of variables may be shown. */
function hideSecret(line: string): string {
  return line.startsWith(`# ${MARK}`) ? line : line.replace(/^((?:[A-Z_]+=)?).+$/, "$1(secret)");
}

function write({ path, text, mode, isSecret }: Step & { kind: "write" }): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: isSecret ? 0o700 : 0o755 });
    // Never half a file, and never a secret that everybody could read for a moment.
    const made = `${path}.new`;
    rmSync(made, { force: true });
    writeFileSync(made, text, { mode, flag: "wx" });
    chmodSync(made, mode);
    renameSync(made, path);
  } catch (error) {
    throw new CommandError(
      `${path} cannot be written (${codeOf(error)}). Without root or administrator rights, a service of your own is --user`,
    );
  }
}

function remove(path: string, tell: (text: string) => void): void {
  if (!existsSync(path)) return;
  if (!isSecretPath(path) && !hasMark(path)) return tell(`${path} stays: this command did not write it\n`);
  try {
    rmSync(path);
  } catch (error) {
    throw new CommandError(`${path} cannot be removed (${codeOf(error)})`);
  }
}

async function runStep({ command, mayFail, patienceMs = 0 }: Step & { kind: "run" }, world: PerformWorld): Promise<void> {
  const { code, out, err } = await runUntil((exitCode) => exitCode === 0, command, patienceMs, world);
  if (code === 0 || mayFail) return;
  const said = printable((err.trim() === "" ? out : err).trim().split("\n").slice(-3).join(" "));
  throw new CommandError(`${toShellCommand(command)} failed with exit code ${code}${said === "" ? "" : `: ${said}`}`);
}

/** Again and again, until its exit code is what is waited for or the time is over. At least once. */
async function runUntil(
  isEnough: (code: number) => boolean,
  command: readonly string[],
  limitMs: number,
  { run, clock }: PerformWorld,
): Promise<CommandResult> {
  const untilMs = clock.nowMs() + limitMs;
  for (;;) {
    const result = await run(command);
    if (isEnough(result.code) || clock.nowMs() >= untilMs) return result;
    await new Promise<void>((resolve) => clock.startTimer(AGAIN_AFTER_MS, resolve));
  }
}

const AGAIN_AFTER_MS = 250;

/** A runtime that cannot call Windows directly knows nothing of rights. */
async function askWindows(): Promise<SecurityOf> {
  const { securityOf } = await import("./windows-security.ts");
  return (path) => {
    try {
      return securityOf(path);
    } catch {
      return null;
    }
  };
}

/** A file with a bare secret has no room for a mark; its name, made by this program, is enough. */
function isOurs({ path, isSecret }: Step & { kind: "write" }): boolean {
  return (isSecret && isSecretPath(path)) || hasMark(path);
}

/** Whether install wrote it. @throws CommandError when it cannot be read */
export function hasMark(path: string): boolean {
  try {
    return readFileSync(path, "utf8").includes(MARK);
  } catch (error) {
    throw new CommandError(`${path} cannot be read (${codeOf(error)})`);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
}
