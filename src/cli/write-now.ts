// Writing that is done when it returns: what still waits in a stream's buffer is lost when the process exits.
import { writeSync } from "node:fs";

/**
 * A reader that does not keep up with a non-blocking pipe costs lines after a short wait, never the process;
 * a reader that is gone costs all of them. False: it is gone. `onRefused` hears why, unless the reader only had enough.
 */
export function writeNow(descriptor: number, text: string, onRefused: (code: string) => void = () => {}): boolean {
  if (descriptor === STANDARD_ERROR && insteadOfStandardError !== null) {
    insteadOfStandardError(text);
    return true;
  }
  const bytes = Buffer.from(text);
  let written = 0;
  for (let tries = 0; written < bytes.length && tries < TRIES_MAX;) {
    try {
      written += writeSync(descriptor, bytes, written);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
      if (code !== "EAGAIN" && code !== "EPIPE") onRefused(code);
      if (code !== "EAGAIN") return false;
      tries++;
      Bun.sleepSync(RETRY_MS);
    }
  }
  return true;
}

/** For a process that has no standard error output, as services of Windows have none: there is one of each, so there is one of this. */
export function replaceStandardError(write: (text: string) => void): void {
  insteadOfStandardError = write;
}

let insteadOfStandardError: ((text: string) => void) | null = null;

const STANDARD_ERROR = 2;
const RETRY_MS = 1;
// Long enough for a reader that is merely busy.
const TRIES_MAX = 50;
