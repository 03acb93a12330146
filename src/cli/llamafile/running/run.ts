// `modelrelay llamafile run`: a model for this machine alone.
import type { CommandBody } from "../../command.ts";
import { RUN_OPTIONS } from "../options.ts";
import { readLine } from "../settings.ts";
import { start } from "./start.ts";
import { ARGS, MODEL_WORD, modelOf } from "../words.ts";

const LINE = { options: RUN_OPTIONS, words: [MODEL_WORD], passed: ARGS };

export const run: CommandBody = {
  ...LINE,
  async run(args, world) {
    const { values, words, passed, home, defaultArgs } = readLine("run", LINE, args, world.env);
    const wishes = { ...values, home, model: modelOf(home, words[0]), defaultArgs, args: passed, relay: null };
    return await start(wishes, world, values.foreground, values);
  },
};
