// Writing that is done when it returns: what still waits in a stream's buffer is lost when the process exits.
import { writeSync } from "node:fs";

/** How long a reader who takes nothing is waited for. */
type Patience = "endless" | "short";

/**
 * A command's output waits for its reader, which may be a pager that somebody looks at for hours. The standard error output has the log
 * in it, and a log must not hold up what it tells of: what its reader does not take for a moment is dropped, where the pipe lets go of us.
 * False: nobody reads any more, or it cannot be written to, which `lossOfOutput` tells of.
 */
export function writeNow(descriptor: number, text: string, patience: Patience = patienceFor(descriptor)): boolean {
  if (descriptor === STANDARD_ERROR && insteadOfStandardError !== null) {
    insteadOfStandardError(text);
    return true;
  }
  // Only a pipe that does not wait by itself can be given up on. To look at the stream makes it one, for every program that has it.
  if (patience === "short" && descriptor === STANDARD_OUTPUT) void process.stdout;
  const bytes = Buffer.from(text);
  // A reader that let something go by already is not waited for again before it takes something.
  let leftMs = patience === "endless" ? Infinity : stuck.has(descriptor) ? 0 : SHORT_MS;
  let pauseMs = PAUSE_MIN_MS;
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(descriptor, bytes, written);
      stuck.delete(descriptor);
      pauseMs = PAUSE_MIN_MS;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
      if (code !== "EAGAIN") {
        noteRefusal(descriptor, code);
        return false;
      }
      if (leftMs <= 0) {
        stuck.add(descriptor);
        return true;
      }
      Bun.sleepSync(pauseMs);
      leftMs -= pauseMs;
      pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS);
    }
  }
  return true;
}

/** A reader who has enough and goes is no loss. */
export function noteRefusal(descriptor: number, code: string): void {
  if (descriptor === STANDARD_OUTPUT && code !== "EPIPE") refusal ??= code;
}

/** Why some of the standard output is lost; null: none is, as far as anybody wanted it. */
export function lossOfOutput(): string | null {
  if (refusal === null) return null;
  const why = refusal === "ENOSPC" ? "the disk is full" : refusal;
  return `the standard output cannot be written to (${why}), so what should have gone there is lost`;
}

/** For a process that has no standard error output, as services of Windows have none: there is one of each, so there is one of this. */
export function replaceStandardError(write: (text: string) => void): void {
  insteadOfStandardError = write;
}

let insteadOfStandardError: ((text: string) => void) | null = null;

// Of a secret that is shown once, nobody may think that it was.
let refusal: string | null = null;

const stuck = new Set<number>();

function patienceFor(descriptor: number): Patience {
  return descriptor === STANDARD_OUTPUT ? "endless" : "short";
}

const STANDARD_OUTPUT = 1;
const STANDARD_ERROR = 2;
// Long enough for a reader that is merely busy.
const SHORT_MS = 50;
// Short enough for a reader that keeps up; where it does not for long, looking seldom costs nothing.
const PAUSE_MIN_MS = 1;
const PAUSE_MAX_MS = 32;
