// A pipe that has no room for another byte, and that nobody reads.
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Whoever writes to the descriptor waits, as programs do at a pipe that a shell made for them. */
export function fullPipe(): Disposable & { readonly descriptor: number } {
  const folder = mkdtempSync(join(tmpdir(), "modelrelay-pipe-"));
  const path = join(folder, "pipe");
  Bun.spawnSync(["mkfifo", path]);
  // Opened twice: what one of them does not wait for is nothing to the other.
  const filling = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const descriptor = openSync(path, constants.O_RDWR);
  try {
    for (;;) writeSync(filling, "x".repeat(4_096));
  } catch {
    // It is full.
  }
  return {
    descriptor,
    [Symbol.dispose]() {
      closeSync(descriptor);
      closeSync(filling);
      rmSync(folder, { recursive: true });
    },
  };
}
