// Starts a model behind one's back: a detached process keeps it, and this one waits until it answers or has failed.
import { closeSync, fstatSync, openSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CommandError } from "../../../base/errors.ts";
import { printableLines } from "../../../base/printable.ts";
import { startChild } from "../../../llamafile/child.ts";
import { cannotWrite } from "../../../llamafile/disk.ts";
import { ensureDirectory } from "../../../llamafile/home.ts";
import { keptAlready } from "../../../llamafile/keeper.ts";
import { logPath, readTail } from "../../../llamafile/log-file.ts";
import { showDuration } from "../../../base/quantity.ts";
import { modelUrl, readRunState, type RunState } from "../../../llamafile/run-state.ts";
import type { CommandWorld } from "../../command.ts";
import { listenForStopSignals } from "../../stop-signals.ts";
import { keeperCommand, type StartWishes } from "./start-wishes.ts";
import { KEEPER_VARIABLE, ownEnvironment } from "./environments.ts";

/** Another one was quicker to start the model. */
export class StartedElsewhere extends CommandError {}

/** Resolves to the exit code. @throws StartedElsewhere, or CommandError when it failed or does not answer in time */
export async function startInBackground(wishes: StartWishes, world: CommandWorld): Promise<number> {
  const { home, model } = wishes;
  ensureDirectory(home.state);
  const notePath = join(home.state, `${model.slug}.${crypto.randomUUID()}.note`);
  const note = openNote(notePath);
  const signals = listenForStopSignals();
  try {
    // Whoever breaks off the waiting has not asked the model to end.
    const broken = signals.first.then((exitCode) => {
      world.tell(`${model.slug} goes on starting; 'modelrelay llamafile stop ${model.slug}' ends it\n`);
      return exitCode;
    });
    return await Promise.race([startAndReport(wishes, world, { note, notePath }), broken]);
  } finally {
    signals.stop();
    closeSync(note);
    removeNote(notePath);
  }
}

interface Note {
  /** An open file, for what the keeper refuses with. */
  readonly note: number;
  readonly notePath: string;
}

async function startAndReport(wishes: StartWishes, world: CommandWorld, { note, notePath }: Note): Promise<number> {
  const { home, model, relay } = wishes;
  const log = logPath(home, model.slug, "model");
  const logFrom = readTail(log, 0).end;
  const workerLogFrom = readTail(logPath(home, model.slug, "worker"), 0).end;
  const keeper = await startChild({
    command: keeperCommand(wishes),
    env: { ...ownEnvironment(world.env, relay?.workerSecret ?? null), [KEEPER_VARIABLE]: "1" },
    directory: home.root,
    output: null,
    errors: note,
    clock: world.clock,
  });
  // Both have it open; a name would only stay behind when this process is ended.
  if (process.platform !== "win32") removeNote(notePath);
  const failed = keeper.ended.then(({ code }) => {
    if (code === 0) throw new CommandError(`${model.slug} was stopped before it answered`);
    const why = readNote(note) ?? `${model.slug} ended before it answered`;
    if (why === keptAlready(model.slug)) throw new StartedElsewhere(why);
    world.tell(printableLines(readSince(log, logFrom, TAIL_LINES)));
    throw new CommandError(why);
  });
  const isKept = (state: RunState | null): state is RunState =>
    state?.keeper.started === keeper.identity?.started && state?.keeper.pid === keeper.identity?.pid;
  const ready = untilAnswering(wishes, world, () => {
    const state = readRunState(home, model.slug);
    return isKept(state) && state.is_ready && (relay === null || state.worker !== null) ? state : null;
  });
  const state = await Promise.race([ready, failed]);
  world.print(`${model.slug} runs at ${modelUrl(state)} (OpenAI API: ${modelUrl(state)}/v1)\n`);
  return relay === null ? 0 : await Promise.race([reportRegistration(wishes, relay.proxyUrl, workerLogFrom, world), failed]);
}

/** Says now and then that it still loads. @throws CommandError when that takes too long */
async function untilAnswering(wishes: StartWishes, { clock, tell }: CommandWorld, find: () => RunState | null): Promise<RunState> {
  const { model, loadTimeoutMs } = wishes;
  const startedMs = clock.nowMs();
  let toldMs = startedMs;
  tell(`${model.slug}: loading\n`);
  for (;;) {
    const state = find();
    if (state !== null) return state;
    const nowMs = clock.nowMs();
    if (nowMs - startedMs >= loadTimeoutMs) {
      throw new CommandError(
        `${model.slug} does not answer after ${showDuration(loadTimeoutMs)}; it goes on loading. ` +
          `'modelrelay llamafile logs ${model.slug} --follow' shows what it does, 'modelrelay llamafile stop ${model.slug}' ends it`,
      );
    }
    if (nowMs - toldMs >= TELL_EVERY_MS) {
      toldMs = nowMs;
      tell(`${model.slug}: still loading after ${showDuration(nowMs - startedMs)}\n`);
    }
    await new Promise<void>((resolve) => clock.startTimer(LOOK_EVERY_MS, resolve));
  }
}

/** A worker tries on by itself, so what it could not do yet is a report and no end. */
async function reportRegistration(
  { home, model }: StartWishes,
  proxyUrl: string,
  from: number,
  { clock, print, tell }: CommandWorld,
): Promise<number> {
  const path = logPath(home, model.slug, "worker");
  const giveUpAtMs = clock.nowMs() + REGISTRATION_LIMIT_MS;
  while (clock.nowMs() < giveUpAtMs) {
    if (/\bregistered\b/.test(readSince(path, from, ALL_LINES))) {
      print(`${model.slug} is relayed by ${proxyUrl}\n`);
      return 0;
    }
    await new Promise<void>((resolve) => clock.startTimer(LOOK_EVERY_MS, resolve));
  }
  tell(printableLines(readSince(path, from, TAIL_LINES)));
  throw new CommandError(
    `the worker of ${model.slug} is not registered at ${proxyUrl} yet; it tries on. 'modelrelay llamafile doctor' looks for the reason, ` +
      `'modelrelay llamafile logs ${model.slug} --worker --follow' shows what it does`,
  );
}

const LOOK_EVERY_MS = 100;
const TELL_EVERY_MS = 15_000;
const REGISTRATION_LIMIT_MS = 20_000;
const TAIL_LINES = 12;
const ALL_LINES = 10_000;
const NOTE_MAX_BYTES = 65_536;
const OWN_NAME = "modelrelay: ";

/** The last lines of what was written since. */
function readSince(path: string, from: number, lines: number): string {
  const { text, end } = readTail(path, ALL_LINES);
  const bytes = Buffer.from(text);
  // A log that was cut in the meantime is new as a whole.
  const fresh = end < from ? bytes : bytes.subarray(Math.max(0, bytes.length - (end - from)));
  return fresh
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "")
    .slice(-lines)
    .map((line) => `  ${line}\n`)
    .join("");
}

function openNote(path: string): number {
  try {
    return openSync(path, "w+", 0o600);
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** Windows may keep a file that the keeper has open; an empty one more in the state directory is no reason to fail. */
function removeNote(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // It stays.
  }
}

/** What the keeper refused with, without its name before it. */
function readNote(note: number): string | null {
  const bytes = Buffer.alloc(Math.min(fstatSync(note).size, NOTE_MAX_BYTES));
  readSync(note, bytes, 0, bytes.length, 0);
  const line = bytes
    .toString("utf8")
    .split("\n")
    .findLast((each) => each.startsWith(OWN_NAME));
  return line === undefined ? null : line.slice(OWN_NAME.length);
}
