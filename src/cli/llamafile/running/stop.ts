// `modelrelay llamafile stop`: ends models in order, or by force when they do not listen.
import { stopModel } from "../../../llamafile/stopping.ts";
import type { CommandBody } from "../../command.ts";
import { STOP_OPTIONS } from "../options.ts";
import { readLine } from "../settings.ts";
import { RUNNING_WORD, stoppableSlugs } from "../words.ts";

const LINE = { options: STOP_OPTIONS, words: [RUNNING_WORD] };

export const stop: CommandBody = {
  ...LINE,
  async run(args, world) {
    const { values, words, home } = readLine("stop", LINE, args, world.env);
    const slugs = stoppableSlugs(home, words);
    // All at once, as each may take its time; one that cannot be ended leaves no other half stopped.
    const stopped = await Promise.allSettled(
      slugs.map(async (slug) => {
        const how = await stopModel(home, slug, world.clock, values.graceMs);
        world.print(`${slug}: ${how === "killed" ? "ended by force, as it did not listen" : how}\n`);
      }),
    );
    const failure = stopped.find((each) => each.status === "rejected");
    if (failure !== undefined) throw failure.reason;
    if (slugs.length === 0) world.tell("No model runs.\n");
    return 0;
  },
};
