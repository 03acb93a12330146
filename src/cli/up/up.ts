// `modelrelay up`: relay and worker in one process, for the model server of this machine.
import { UsageError } from "../../base/errors.ts";
import { nearestNames } from "../../base/nearest.ts";
import { reachableUrl } from "../options/addresses.ts";
import { chooseBackend, type ChosenBackend } from "./choose-backend.ts";
import type { CommandBody, CommandWorld } from "../commands.ts";
import { pickChatModel } from "../model-server/find-backend.ts";
import { MODELS_SHOWN, renderIntroduction } from "./introduction.ts";
import { startLog } from "../log/log.ts";
import { UP_OPTIONS } from "./options.ts";
import { parseOptions, type Parsed } from "../options/parse.ts";
import { renderPasteLines } from "./paste-lines.ts";
import { quote } from "../../base/printable.ts";
import { resolveSecret } from "../options/secrets.ts";
import { warnOfOpenAddress, warnOfSecretFlags } from "../serve/config.ts";
import { listenForStopSignals, runUntilStopped, type StopSignals } from "../stop-signals.ts";
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
    const signals = listenForStopSignals();
    const relay = await startRelay(parsed, { url: backend.url, apiKey, takenPorts }, { log, clock: world.clock });
    const stop = async () => {
      await relay.server.drain();
      await Promise.all([relay.worker.stop(), backend.stop()]);
    };
    const isReady = await untilReady(relay.worker, world.clock);
    const shown = { ...backend, models: values.models ?? backend.models };
    const isMoved = origins.listen.kind === "default" && relay.listen.port !== values.listen.port;
    const baseUrl = values.publicUrl ?? reachableUrl(relay.listen);
    const { isPrivate, listen } = relay;
    world.print(renderIntroduction({ backend: shown, baseUrl, listen, takenPort: isMoved ? values.listen.port : null, isPrivate }));
    return await converse({ parsed, relay, model, isReady, signals, stop, world });
  },
};

interface Conversation {
  readonly parsed: Parsed<typeof UP_OPTIONS>;
  readonly relay: Relay;
  readonly model: string | null;
  readonly isReady: boolean;
  readonly signals: StopSignals;
  readonly stop: () => Promise<void>;
  readonly world: CommandWorld;
}

/** The first request where one is wanted, the lines to paste, then waiting for the stop signal. Resolves to the exit code. */
async function converse({ parsed, relay, model, isReady, signals, stop, world }: Conversation): Promise<number> {
  const { values } = parsed;
  const baseUrl = reachableUrl(relay.listen);
  let isFine = true;
  if (!isReady || model === null) {
    const problem = relay.worker.status().problem ?? "the backend offers no model yet";
    world.print(`\nNot ready yet: ${problem}. Models show in ${baseUrl}/v1/models as soon as they are there.\n`);
    isFine = false;
  } else if (values.demo || values.once) {
    isFine = await showTryOut(baseUrl, model, signals, world);
  }
  if (values.once) {
    const stopped = stop().then(() => (isFine ? 0 : 1));
    return await Promise.race([stopped, signals.second]);
  }
  if (model !== null) {
    const lines = renderPasteLines({ baseUrl: values.publicUrl ?? baseUrl, model, platform: process.platform });
    world.print(`\nReady to paste:\n\n${lines}\n\nStop with Ctrl+C.\n`);
  }
  return await runUntilStopped({ drain: stop, finished: NEVER }, signals);
}

async function showTryOut(baseUrl: string, model: string, signals: StopSignals, { clock, print }: CommandWorld): Promise<boolean> {
  const aborting = new AbortController();
  void signals.first.then(() => aborting.abort());
  print(`\nAsking ${model}: ${PROMPT}\n\n`);
  const result = await tryOut({ baseUrl, model, prompt: PROMPT, signal: aborting.signal }, { clock, print });
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
