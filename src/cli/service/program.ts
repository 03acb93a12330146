// The command line that starts this very program again, from wherever it is.
import { resolve } from "node:path";
import { CommandError } from "../../base/errors.ts";
import { isHidden } from "../../service/reach.ts";
import type { Places } from "../../service/service.ts";

/** @throws CommandError when a service of the machine could not get at it */
export function programOfThis({ scope }: Pick<Places, "scope">): readonly string[] {
  const script = Bun.isStandaloneExecutable ? [] : [resolve(process.argv[1] ?? "")];
  const program = [process.execPath, ...script];
  const hidden = program.find(isHidden);
  if (scope === "system" && process.platform === "linux" && hidden !== undefined) {
    throw new CommandError(
      `${hidden} is out of reach for a service of the machine, which sees no home or temporary directories. ` +
        "Put the executable into /usr/local/bin and run it from there, or give --user",
    );
  }
  return program;
}
