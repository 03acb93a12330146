// `modelrelay llamafile import`: a llamafile of one's own becomes a model like the others.
import { importModel } from "../../../llamafile/import-model.ts";
import { showBytes } from "../../../llamafile/quantity.ts";
import type { CommandBody } from "../../commands.ts";
import { IMPORT_OPTIONS } from "../options.ts";
import { readLine } from "../settings.ts";

const LINE = { options: IMPORT_OPTIONS, words: [{ name: "PATH", help: "The llamafile to take in.", isNeeded: true, isMany: false }] };

export const importOwn: CommandBody = {
  ...LINE,
  async run(args, world) {
    const { values, words, home } = readLine("import", LINE, args, world.env);
    const { model, kind, how } = await importModel(home, { path: words[0] ?? "", slug: values.slug, isCopy: values.copy });
    const what = kind === "ape" ? "a llamafile for every system" : `a program (${kind}), no llamafile by its first bytes`;
    world.print(`${model.slug}: ${how}, ${showBytes(model.size_bytes)}, ${what}\n`);
    return 0;
  },
};
