// What `run` and `serve` have in common: the model is had, looked at and started, in the foreground or behind.
import { CommandError } from "../../../base/errors.ts";
import { startCommand } from "../../../llamafile/executable.ts";
import { fitOf } from "../../../llamafile/fit.ts";
import { checkPassedArguments } from "../../../llamafile/launch.ts";
import { readMachine, thisWorld } from "../../../llamafile/machine.ts";
import { isUp, modelUrl, type RunState, statusNow } from "../../../llamafile/run-state.ts";
import type { CommandWorld } from "../../command.ts";
import type { OptionValues } from "../../options/option.ts";
import { getModel } from "../models/get-model.ts";
import { Interrupted } from "../models/interrupted.ts";
import { keepHere } from "./keep-here.ts";
import type { DOWNLOAD_OPTIONS } from "../option-groups.ts";
import { StartedElsewhere, startInBackground } from "./start-in-background.ts";
import type { StartWishes } from "./start-wishes.ts";

/** Resolves to the exit code. @throws CommandError when it cannot be started, or has failed */
export async function start(
  wishes: StartWishes,
  world: CommandWorld,
  isForeground: boolean,
  downloading: OptionValues<typeof DOWNLOAD_OPTIONS>,
): Promise<number> {
  const { home, model } = wishes;
  checkPassedArguments([...wishes.defaultArgs, ...wishes.args]);
  if (!isForeground && isThereAlready(wishes, world)) return 0;
  try {
    const { path, sizeBytes } = await getModel(home, model, world, downloading);
    startCommand(path, sizeBytes);
    const fit = fitOf({ sizeBytes }, readMachine(thisWorld()));
    if (fit.kind === "no" && !isForeground) world.tell(`${model.slug}: this machine may be too small for it (${fit.reason})\n`);
  } catch (error) {
    if (error instanceof Interrupted) return error.exitCode;
    throw error;
  }
  if (isForeground) return await keepHere(wishes, world);
  try {
    return await startInBackground(wishes, world);
  } catch (error) {
    if (!(error instanceof StartedElsewhere)) throw error;
    // Another terminal has begun the same in between, and writes down where in a moment.
    const giveUpAtMs = world.clock.nowMs() + WRITTEN_LIMIT_MS;
    while (!isThereAlready(wishes, world)) {
      if (world.clock.nowMs() >= giveUpAtMs) throw error;
      await new Promise<void>((resolve) => world.clock.startTimer(LOOK_EVERY_MS, resolve));
    }
    return 0;
  }
}

const WRITTEN_LIMIT_MS = 5_000;
const LOOK_EVERY_MS = 50;

/** @throws CommandError when it runs, but not as it is asked for */
function isThereAlready(wishes: StartWishes, { print, tell }: CommandWorld): boolean {
  const { home, model, relay, port } = wishes;
  const status = statusNow(home, model.slug);
  if (!isUp(status)) return false;
  const { state } = status;
  const stopIt = `'modelrelay llamafile stop ${model.slug}' first`;
  if (status.kind === "stopping") throw new CommandError(`${model.slug} is being stopped at this moment; try again`);
  if (relay !== null && state.proxy_url === null) throw new CommandError(`${model.slug} runs already, but is not relayed; ${stopIt}`);
  if (relay !== null && state.proxy_url !== relay.proxyUrl)
    throw new CommandError(`${model.slug} is relayed by ${state.proxy_url} already; ${stopIt}`);
  if (port !== null && port !== state.port) throw new CommandError(`${model.slug} runs already, on port ${state.port}; ${stopIt}`);
  if (status.kind === "unattended") throw new CommandError(`${model.slug} runs, but its keeper is gone; ${stopIt}`);
  print(`${model.slug} ${status.kind === "starting" ? "is being started already" : "runs already"} at ${modelUrl(state)}\n`);
  if (!isAsStarted(wishes, state)) tell(`${model.slug} was started with other settings or arguments; to have these, ${stopIt}\n`);
  return true;
}

function isAsStarted({ contextSize, gpuLayers, defaultArgs, args }: StartWishes, state: RunState): boolean {
  const isSame = contextSize === state.context_size && gpuLayers === state.gpu_layers;
  return isSame && [...defaultArgs, ...args].join("\n") === state.args.join("\n");
}
