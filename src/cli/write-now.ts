// Writing that is done when it returns: what still waits in a stream's buffer is lost when the process exits.
import { writeSync } from "node:fs";

/**
 * A reader that does not keep up with a non-blocking pipe costs lines after a short wait, never the process;
 * a reader that is gone costs all of them.
 */
export function writeNow(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  let written = 0;
  for (let tries = 0; written < bytes.length && tries < TRIES_MAX;) {
    try {
      written += writeSync(descriptor, bytes, written);
    } catch (error) {
      if (!(error instanceof Error) || !("code" in error) || error.code !== "EAGAIN") return;
      tries++;
      Bun.sleepSync(RETRY_MS);
    }
  }
}

const RETRY_MS = 1;
// Long enough for a reader that is merely busy.
const TRIES_MAX = 50;
