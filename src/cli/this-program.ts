// How this very program is started again, from wherever it is: compiled it is one file, otherwise Bun with a script.
import { resolve } from "node:path";

export function thisProgram(): readonly string[] {
  const script = process.argv[1];
  return Bun.isStandaloneExecutable || script === undefined ? [process.execPath] : [process.execPath, resolve(script)];
}
