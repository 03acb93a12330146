// `modelrelay llamafile serve`: a model and its worker, so that the relay's clients can use it.
import type { CommandBody } from "../../command.ts";
import { SERVE_OPTIONS } from "../options.ts";
import { readLine } from "../settings.ts";
import { relayWishes } from "./start-wishes.ts";
import { start } from "./start.ts";
import { ARGS, MODEL_WORD, modelOf } from "../words.ts";

const LINE = { options: SERVE_OPTIONS, words: [MODEL_WORD], passed: ARGS };

export const serve: CommandBody = {
  ...LINE,
  async run(args, world) {
    const { values, origins, words, passed, home, defaultArgs } = readLine("serve", LINE, args, world.env);
    const model = modelOf(home, words[0]);
    const relay = relayWishes(values, origins, world.tell);
    return await start({ ...values, home, model, defaultArgs, args: passed, relay }, world, values.foreground, values);
  },
};
