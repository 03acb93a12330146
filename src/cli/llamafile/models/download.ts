// `modelrelay llamafile download`: one model after the other; what is here already stays as it is.
import type { CommandBody } from "../../command.ts";
import { showBytes } from "../../../base/quantity.ts";
import { getModel } from "./get-model.ts";
import { Interrupted } from "./interrupted.ts";
import { FETCH_OPTIONS } from "../options.ts";
import { readLine } from "../settings.ts";
import { MODELS_WORD, modelOf } from "../words.ts";

const LINE = { options: FETCH_OPTIONS, words: [MODELS_WORD] };

export const download: CommandBody = {
  ...LINE,
  async run(args, world) {
    const { values, words, home } = readLine("download", LINE, args, world.env);
    // Every word is looked up before the first byte comes.
    const models = new Set(words.map((word) => modelOf(home, word)));
    for (const model of models) {
      try {
        const { path, sizeBytes, isFresh, isChecked } = await getModel(home, model, world, values, values.force);
        const what = isFresh
          ? `downloaded, ${showBytes(sizeBytes)}, ${isChecked ? "checksum right" : "without a checksum to compare"}`
          : "is here already";
        world.tell(`${model.slug}: ${what}\n`);
        world.print(`${path}\n`);
      } catch (error) {
        if (error instanceof Interrupted) return error.exitCode;
        throw error;
      }
    }
    return 0;
  },
};
