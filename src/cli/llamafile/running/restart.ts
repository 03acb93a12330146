// `modelrelay llamafile restart`: the same model with the same port, arguments and relay, but for what flags say.
import { CommandError } from "../../../base/errors.ts";
import { sizeHere } from "../../../llamafile/library.ts";
import { untilPortFree } from "../../../llamafile/port.ts";
import { readRunState } from "../../../llamafile/run-state.ts";
import { stopModel } from "../../../llamafile/stopping.ts";
import type { CommandBody } from "../../command.ts";
import { RESTART_OPTIONS } from "../options.ts";
import { readLine } from "../settings.ts";
import { startInBackground } from "./start-in-background.ts";
import { relayWishes } from "./start-wishes.ts";
import { MODEL_WORD, modelOf, startedSlugOf } from "../words.ts";

const LINE = { options: RESTART_OPTIONS, words: [MODEL_WORD] };

export const restart: CommandBody = {
  ...LINE,
  async run(args, world) {
    const { values, origins, words, home } = readLine("restart", LINE, args, world.env);
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
    if (sizeHere(home, model) === null) {
      throw new CommandError(`the file of ${slug} is not there any more, so it could not be started again; nothing is stopped`);
    }
    await stopModel(home, slug, world.clock, values.graceMs, "keep");
    const port = before.is_port_fixed ? before.port : null;
    if (port !== null && !(await untilPortFree(port, world.clock))) {
      throw new CommandError(
        `the port ${port}, which was asked for, is taken by another program now, so ${slug} is stopped: free it and restart, ` +
          `or start ${slug} anew by 'run' or 'serve', which without --port take any free one`,
      );
    }
    const { portRange, loadTimeoutMs } = values;
    const gpuLayers = isAsked("gpuLayers") ? values.gpuLayers : before.gpu_layers;
    const contextSize = isAsked("contextSize") ? values.contextSize : before.context_size;
    // Without a fixed port the keeper takes the one that is written down, when it can.
    return await startInBackground(
      { home, model, port, portRange, gpuLayers, contextSize, loadTimeoutMs, defaultArgs: [], args: before.args, relay },
      world,
    );
  },
};
