// The command line by which a service manager starts this very program.
import { CommandError } from "../../base/errors.ts";
import { isHidden } from "../../service/reach.ts";
import type { Places } from "../../service/service.ts";
import { thisProgram } from "../this-program.ts";

/** @throws CommandError when a service of the machine could not get at it */
export function programOfThis({ scope }: Pick<Places, "scope">): readonly string[] {
  const program = thisProgram();
  const hidden = program.find(isHidden);
  if (scope === "system" && process.platform === "linux" && hidden !== undefined) {
    throw new CommandError(
      `${hidden} is out of reach for a service of the machine, which sees no home or temporary directories. ` +
        "Put the executable into /usr/local/bin and run it from there, or give --user",
    );
  }
  return program;
}
