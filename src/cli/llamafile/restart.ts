// `modelrelay llamafile restart`: the same model with the same port, arguments and relay.
import { CommandError } from "../../base/errors.ts";
import { readRunState } from "../../llamafile/run-state.ts";
import { stopModel } from "../../llamafile/stopping.ts";
import type { CommandBody } from "../commands.ts";
import { RESTART_OPTIONS } from "./options.ts";
import { readLine } from "./settings.ts";
import { startInBackground } from "./start-in-background.ts";
import { relayWishes } from "./start-wishes.ts";
import { MODEL_WORD, modelOf, startedSlugOf } from "./words.ts";

const LINE = { options: RESTART_OPTIONS, words: [MODEL_WORD] };

export const restart: CommandBody = {
  ...LINE,
  async run(args, world) {
    const { values, origins, words, home, defaultArgs } = readLine("restart", LINE, args, world.env);
    const slug = startedSlugOf(home, words[0]);
    const before = readRunState(home, slug);
    if (before === null) throw new CommandError(`${slug} was not started; 'modelrelay llamafile run ${slug}' or 'serve ${slug}' starts it`);
    const model = modelOf(home, slug);
    // Before anything is stopped: without the secret it could not be started again.
    const proxyUrl = before.proxy_url === null ? null : new URL(before.proxy_url);
    const relay =
      proxyUrl === null ? null : relayWishes({ ...values, proxyUrl, maxConcurrency: before.max_concurrency }, origins, world.tell);
    await stopModel(home, slug, world.clock, values.graceMs);
    const { portRange, loadTimeoutMs } = values;
    const gpuLayers = origins.gpuLayers.kind === "flag" ? values.gpuLayers : before.gpu_layers;
    const contextSize = origins.contextSize.kind === "flag" ? values.contextSize : before.context_size;
    const port = before.port;
    return await startInBackground(
      { home, model, port, portRange, gpuLayers, contextSize, loadTimeoutMs, defaultArgs, args: before.args, relay },
      world,
    );
  },
};
