// `modelrelay llamafile restart`: the same model with the same port, arguments and relay, but for what flags say.
import { CommandError } from "../../../base/errors.ts";
import { readRunState } from "../../../llamafile/run-state.ts";
import { stopModel } from "../../../llamafile/stopping.ts";
import type { CommandBody } from "../../commands.ts";
import { RESTART_OPTIONS } from "../options.ts";
import { readLine } from "../settings.ts";
import { startInBackground } from "./start-in-background.ts";
import { relayWishes } from "./start-wishes.ts";
import { MODEL_WORD, modelOf, startedSlugOf } from "../words.ts";

const LINE = { options: RESTART_OPTIONS, words: [MODEL_WORD] };

export const restart: CommandBody = {
  ...LINE,
  async run(args, world) {
    const { values, origins, words, home, defaultArgs } = readLine("restart", LINE, args, world.env);
    // What the settings and variables say now is for new starts.
    const isAsked = (key: keyof typeof origins): boolean => origins[key].kind === "flag";
    const slug = startedSlugOf(home, words[0]);
    const before = readRunState(home, slug);
    if (before === null) throw new CommandError(`${slug} was not started; 'modelrelay llamafile run ${slug}' or 'serve ${slug}' starts it`);
    const model = modelOf(home, slug);
    // Before anything is stopped: without the secret it could not be started again.
    const relayed = {
      ...values,
      tlsCa: isAsked("tlsCa") ? values.tlsCa : before.tls_ca,
      provider: isAsked("provider") ? values.provider : (before.provider ?? values.provider),
      maxConcurrency: isAsked("maxConcurrency") ? values.maxConcurrency : before.max_concurrency,
    };
    const proxyUrl = before.proxy_url === null ? null : new URL(before.proxy_url);
    const relay = proxyUrl === null ? null : relayWishes({ ...relayed, proxyUrl }, origins, world.tell);
    await stopModel(home, slug, world.clock, values.graceMs);
    const { portRange, loadTimeoutMs } = values;
    const gpuLayers = isAsked("gpuLayers") ? values.gpuLayers : before.gpu_layers;
    const contextSize = isAsked("contextSize") ? values.contextSize : before.context_size;
    const port = before.port;
    return await startInBackground(
      { home, model, port, portRange, gpuLayers, contextSize, loadTimeoutMs, defaultArgs, args: before.args, relay },
      world,
    );
  },
};
