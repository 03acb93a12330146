// What a model and its worker say, in files that are kept from growing without end, and how their ends are read.
import { closeSync, copyFileSync, fstatSync, openSync, readSync, statSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Clock, Timer } from "../base/clock.ts";
import { cannotWrite } from "./disk.ts";
import { ensureDirectory, type Home } from "./home.ts";
import { pause } from "./readiness.ts";

export type LogKind = "model" | "worker";

export function logPath(home: Home, slug: string, kind: LogKind): string {
  return join(home.logs, kind === "model" ? `${slug}.log` : `${slug}.worker.log`);
}

/** Opens it for children to append to, and notes what begins. The caller closes it. @throws CommandError */
export function openLog(home: Home, slug: string, kind: LogKind, headline: string): number {
  ensureDirectory(home.logs);
  const path = logPath(home, slug, kind);
  try {
    const file = openSync(path, "a", 0o600);
    writeSync(file, `--- ${headline}\n`);
    return file;
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** Cuts a log that is too long: what it held goes to NAME.1. The file stays the same one, since a child writes to it. */
export function cutLog(path: string, maxBytes = LOG_MAX_BYTES): void {
  try {
    if (statSync(path).size <= maxBytes) return;
    copyFileSync(path, `${path}.1`);
    truncateSync(path, 0);
  } catch {
    // Without room or the file itself there is nothing to cut; the next round looks again.
  }
}

/** Looks after them from time to time. */
export function watchLogs(paths: readonly string[], clock: Clock): { stop(): void } {
  let timer: Timer;
  const look = (): void => {
    for (const path of paths) cutLog(path);
    timer = clock.startTimer(LOOK_EVERY_MS, look);
  };
  look();
  return { stop: () => timer.stop() };
}

/** The last lines, and where what is written from now on begins. Empty when there is no log. */
export function readTail(path: string, lines: number): { readonly text: string; readonly end: number } {
  return (
    withFile(path, (file) => {
      const size = fstatSync(file).size;
      const start = Math.max(0, size - TAIL_MAX_BYTES);
      const text = readBytes(file, start, size).toString("utf8");
      const all = text.split("\n");
      const isEnded = all.at(-1) === "";
      const kept = isEnded ? all.slice(0, -1) : all;
      const tail = lines === 0 ? [] : kept.slice(-lines);
      return { text: tail.map((line) => `${line}\n`).join(""), end: size };
    }) ?? { text: "", end: 0 }
  );
}

/**
 * Gives what is written as it is written, until the signal, and then what has been written until then: a crash has its reason in its last
 * words. A log that was cut is read from its new beginning.
 */
export async function followLog(
  path: string,
  from: number,
  onText: (text: string) => void,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const decoder = new TextDecoder();
  let at = from;
  /** False: there is nothing new. */
  const readOn = (): boolean => {
    const bytes = withFile(path, (file) => {
      const size = fstatSync(file).size;
      if (size < at) at = 0;
      return readBytes(file, at, Math.min(size, at + READ_MAX_BYTES));
    });
    if (bytes === null || bytes.length === 0) return false;
    at += bytes.length;
    onText(decoder.decode(bytes, { stream: true }));
    return true;
  };
  while (!signal.aborted) if (!readOn()) await pause(clock, FOLLOW_EVERY_MS, signal).catch(() => {});
  for (let pieces = 0; pieces < LAST_PIECES_MAX && readOn(); pieces++);
}

const LOG_MAX_BYTES = 10 * 1024 ** 2;
const LOOK_EVERY_MS = 10_000;
const FOLLOW_EVERY_MS = 100;
const TAIL_MAX_BYTES = 4 * 1024 ** 2;
const READ_MAX_BYTES = 1024 ** 2;
// More than a log may have, and an end for one that grows faster than it is read.
const LAST_PIECES_MAX = 16;

function withFile<T>(path: string, read: (file: number) => T): T | null {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return null;
  }
  try {
    return read(file);
  } finally {
    closeSync(file);
  }
}

function readBytes(file: number, from: number, to: number): Buffer {
  const bytes = Buffer.alloc(Math.max(0, to - from));
  let read = 0;
  while (read < bytes.length) {
    const count = readSync(file, bytes, read, bytes.length - read, from + read);
    if (count === 0) break;
    read += count;
  }
  return bytes.subarray(0, read);
}
