// Keeps a model in this very process, until a signal or its own end: what --foreground does, and what runs in the background.
import { fstatSync } from "node:fs";
import { isatty } from "node:tty";
import { CommandError } from "../../../base/errors.ts";
import { startCommand } from "../../../llamafile/executable.ts";
import { type KeeperPlan, startKeeper } from "../../../llamafile/keeper.ts";
import { askVersion, llamafileArguments } from "../../../llamafile/launch.ts";
import { modelPath, sizeHere } from "../../../llamafile/library.ts";
import { followLog, logPath, readTail } from "../../../llamafile/log-file.ts";
import { readMachine, thisWorld } from "../../../llamafile/machine.ts";
import { showEnd } from "../../../llamafile/run-state.ts";
import type { CommandWorld } from "../../command.ts";
import { listenForStopSignals } from "../../stop-signals.ts";
import { writeNow } from "../../write-now.ts";
import { shownLog, STANDARD_OUTPUT } from "./shown-log.ts";
import { type StartWishes, workerCommand } from "./start-wishes.ts";
import { modelEnvironment, ownEnvironment } from "./environments.ts";

/** Resolves to the exit code once it has been stopped. @throws CommandError when it ends by itself */
export async function keepHere(wishes: StartWishes, world: CommandWorld): Promise<number> {
  const { home, model } = wishes;
  const plan = await planOf(wishes, world);
  const log = logPath(home, model.slug, "model");
  const logFrom = readTail(log, 0).end;
  const onReady = (url: string): void => world.tell(`${model.slug} answers at ${url}\n`);
  const signals = listenForStopSignals();
  const hangUp = Promise.withResolvers<void>();
  const onHangUp = (): void => hangUp.resolve();
  process.on("SIGHUP", onHangUp);
  const ending = new AbortController();
  let showing = Promise.resolve();
  const tellProblem = (error: unknown): void => world.tell(`modelrelay: ${error instanceof Error ? error.message : String(error)}\n`);
  try {
    const keeper = await startKeeper(plan, { home, clock: world.clock, onReady });
    void Promise.race([signals.first, hangUp.promise])
      .then(() => keeper.stop())
      .catch(tellProblem);
    // The log has all of it: a reader that takes none for a while misses some, and the model is looked after and stopped nevertheless.
    const show = (text: string): void => void writeNow(STANDARD_OUTPUT, shownLog(text), "short");
    if (isHeard()) showing = followLog(log, logFrom, show, world.clock, ending.signal).catch(tellProblem);
    const end = await Promise.race([keeper.ended, signals.second]);
    if (typeof end === "number") {
      // Whoever asks twice wants nothing of it to go on.
      keeper.kill();
      return end;
    }
    if (end === null) return 0;
    const whose = end.who === "worker" ? `the worker of ${model.slug}` : model.slug;
    const logs = `'modelrelay llamafile logs ${model.slug}${end.who === "worker" ? " --worker" : ""}'`;
    throw new CommandError(`${whose} crashed (${showEnd(end)}); ${logs} shows what it said`);
  } finally {
    ending.abort();
    await showing;
    signals.stop();
    process.off("SIGHUP", onHangUp);
  }
}

/** Asks the llamafile for its version, as its flags depend on it. @throws CommandError when this platform cannot start it */
async function planOf(wishes: StartWishes, { env }: CommandWorld): Promise<KeeperPlan> {
  const { home, model, relay, port, portRange, gpuLayers, contextSize } = wishes;
  const command = startCommand(modelPath(home, model), sizeHere(home, model) ?? 0);
  const modelEnv = modelEnvironment(env);
  const version = await askVersion(command, modelEnv);
  const hasGpu = readMachine(thisWorld()).gpus.length > 0;
  const isForEmbeddings = model.tags.includes("embedding");
  const args = [...wishes.defaultArgs, ...wishes.args];
  return {
    slug: model.slug,
    port,
    portRange,
    record: {
      args,
      gpu_layers: gpuLayers,
      context_size: contextSize,
      proxy_url: relay?.proxyUrl ?? null,
      provider: relay?.provider ?? null,
      tls_ca: relay?.tlsCa ?? null,
      max_concurrency: relay?.maxConcurrency ?? 1,
    },
    toModelCommand: (chosen) => [
      ...command,
      ...llamafileArguments(version, { port: chosen, gpuLayers, contextSize, isForEmbeddings, hasGpu, args }),
    ],
    modelEnv,
    worker:
      relay === null ? null : { toCommand: (url) => workerCommand(model.slug, relay, url), env: ownEnvironment(env, relay.workerSecret) },
  };
}

/** Whether anybody gets the standard output: in the background it is the null device. */
function isHeard(): boolean {
  try {
    return isatty(STANDARD_OUTPUT) || !fstatSync(STANDARD_OUTPUT).isCharacterDevice();
  } catch {
    return false;
  }
}
