// `modelrelay up`: relay and worker in one process, for the model server of this machine.
import { UsageError } from "../../base/errors.ts";
import { startSteadyClock } from "../../base/steady-clock.ts";
import { nearestNames } from "../../base/nearest.ts";
import { reachableUrl } from "../options/addresses.ts";
import { chooseBackend, type ChosenBackend } from "./choose-backend.ts";
import type { CommandBody, CommandWorld } from "../command.ts";
import { pickChatModel } from "../model-server/find-backend.ts";
import { MODELS_SHOWN, renderIntroduction } from "./introduction.ts";
import { startLog } from "../log/log.ts";
import { UP_OPTIONS } from "./options.ts";
import { parseOptions, type Parsed } from "../options/parse.ts";
import { renderPasteLines } from "./paste-lines.ts";
import { quote } from "../../base/printable.ts";
import { resolveSecret } from "../options/secrets.ts";
import { warnOfOpenAddress, warnOfSecretFlags } from "../serve/config.ts";
import { listenForStopSignals, runUntilStopped } from "../stop-signals.ts";
import { describeTimings, tryOut } from "../model-server/try-out.ts";
import { startRelay, untilReady, type Relay } from "./relay.ts";

export const up: CommandBody = {
  options: UP_OPTIONS,
  async run(args, world) {
    const parsed = parseOptions("up", UP_OPTIONS, args, world.env);
    const { values, origins } = parsed;
    if (values.demo && origins.backendUrl.kind === "flag") throw new UsageError("--demo and --backend-url are both given: keep one.");
    const apiKey = backendKey(parsed);
    const log = startLog(values, world);
    warnOfSecretFlags([origins.workerSecret, origins.backendApiKey], log);
    warnOfOpenAddress({ listen: values.listen, requireApiKeys: false }, log);

    const wish = { isDemo: values.demo, demoSpeed: values.demoSpeed, backendUrl: values.backendUrl, apiKey };
    const backend = await chooseBackend(wish, world.clock);
    const model = chooseModel(parsed, backend);
    const takenPorts = [backend, ...backend.others].map(({ url }) => Number(url.port));
    const signals = listenForStopSignals({ clock: world.clock });
    const stopping = new AbortController();
    void signals.first.then(() => stopping.abort());
    const steady = startSteadyClock(world.clock);
    const relay = await startRelay(parsed, { url: backend.url, apiKey, takenPorts }, { log, clock: world.clock, steady });
    const stop = async () => {
      await relay.server.drain();
      steady.stop();
      await Promise.all([relay.worker.stop(), backend.stop()]);
    };
    const isReady = await Promise.race([untilReady(relay.worker, world.clock), signals.first.then(() => false)]);
    const isFine = await converse({ parsed, backend, relay, model, isReady, stopping: stopping.signal, world });
    if (!values.once) return await runUntilStopped({ drain: stop, finished: NEVER }, signals);
    const stopped = stop().then(() => (isFine ? 0 : 1));
    return await Promise.race([stopped, signals.second]);
  },
};

interface Conversation {
  readonly parsed: Parsed<typeof UP_OPTIONS>;
  readonly backend: ChosenBackend;
  readonly relay: Relay;
  readonly model: string | null;
  readonly isReady: boolean;
  /** Whoever has told it to stop wants to read no more. */
  readonly stopping: AbortSignal;
  readonly world: CommandWorld;
}

/** What there is, the first request where one is wanted, the lines to paste. Resolves to whether the request went well. */
async function converse({ parsed, backend, relay, model, isReady, stopping, world }: Conversation): Promise<boolean> {
  const { values, origins } = parsed;
  if (stopping.aborted) return false;
  const { isPrivate, listen } = relay;
  const baseUrl = reachableUrl(listen);
  const publicUrl = values.publicUrl ?? baseUrl;
  const shown = { ...backend, models: values.models ?? backend.models };
  const takenPort = origins.listen.kind === "default" && listen.port !== values.listen.port ? values.listen.port : null;
  world.print(renderIntroduction({ backend: shown, baseUrl: publicUrl, listen, takenPort, isPrivate }));
  let isFine = true;
  if (!isReady || model === null) {
    const problem = relay.worker.status().problem ?? "the backend offers no model yet";
    world.print(`\nNot ready yet: ${problem}. Models show in ${baseUrl}/v1/models as soon as they are there.\n`);
    isFine = false;
  } else if (values.demo || values.once) {
    isFine = await showTryOut(baseUrl, model, stopping, world);
  }
  if (!values.once && model !== null && !stopping.aborted) {
    const lines = renderPasteLines({ baseUrl: publicUrl, model, platform: process.platform });
    world.print(`\nReady to paste:\n\n${lines}\n\nStop with Ctrl+C.\n`);
  }
  return isFine;
}

async function showTryOut(baseUrl: string, model: string, signal: AbortSignal, { clock, print }: CommandWorld): Promise<boolean> {
  print(`\nAsking ${model}: ${PROMPT}\n\n`);
  const result = await tryOut({ baseUrl, model, prompt: PROMPT, signal }, { clock, print });
  print(result.kind === "answered" ? `\n\n${describeTimings(result)}\n` : `\nThat failed: ${result.reason}\n`);
  return result.kind === "answered";
}

/** @throws UsageError when a model was named that the backend is known not to have. */
function chooseModel({ values }: Parsed<typeof UP_OPTIONS>, backend: ChosenBackend): string | null {
  const named = (values.models ?? []).filter((model) => model !== "*");
  const offered = named.length > 0 ? named : backend.models;
  if (values.model === null) return pickChatModel(offered);
  const isAny = offered.length === 0 || values.models?.includes("*") === true;
  if (isAny || offered.includes(values.model)) return values.model;
  const nearest = nearestNames(values.model, offered);
  const known = nearest.length > 0 ? nearest : offered.slice(0, MODELS_SHOWN);
  throw new UsageError(`--model: the backend has no model ${quote(values.model)}; it has ${known.join(", ")}`);
}

function backendKey({ values, origins }: Parsed<typeof UP_OPTIONS>): string | null {
  return resolveSecret(
    { value: values.backendApiKey, origin: origins.backendApiKey },
    { value: values.backendApiKeyFile, origin: origins.backendApiKeyFile },
  );
}

const PROMPT = "Say hello in one sentence.";
const NEVER = new Promise<never>(() => undefined);
