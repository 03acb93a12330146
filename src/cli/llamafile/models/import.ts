// `modelrelay llamafile import`: a llamafile that somebody has becomes a model like the others.
import { importModel, type Imported } from "../../../llamafile/import-model.ts";
import { showBytes } from "../../../base/quantity.ts";
import type { CommandBody } from "../../command.ts";
import { IMPORT_OPTIONS } from "../options.ts";
import { readLine } from "../settings.ts";
import { Interrupted, untilInterrupted } from "./interrupted.ts";

const LINE = { options: IMPORT_OPTIONS, words: [{ name: "PATH", help: "The llamafile to take in.", isNeeded: true, isMany: false }] };

export const importOwn: CommandBody = {
  ...LINE,
  async run(args, world) {
    const { values, words, home } = readLine("import", LINE, args, world.env);
    const wish = { path: words[0] ?? "", slug: values.slug, isCopy: values.copy };
    try {
      const imported = await untilInterrupted(async (signal) => await importModel(home, { ...wish, signal }));
      world.print(`${imported.slug}: ${imported.how}, ${showBytes(imported.sizeBytes)}, ${describe(imported)}\n`);
      return 0;
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      world.tell("stopped; nothing is imported\n");
      return error.exitCode;
    }
  },
};

function describe({ as, kind }: Imported): string {
  if (as === "checked") return "the catalogue's file, checksum right";
  if (as === "named") return "the catalogue's file by its name and size, without a checksum to compare";
  return kind === "ape" ? "a llamafile for every system" : `a program (${kind}), no llamafile by its first bytes`;
}
