// Has a model's file here: downloads it when it is not, and shows how far it is.
import { unlink } from "node:fs/promises";
import { CommandError } from "../../../base/errors.ts";
import { type Downloaded, downloadModel } from "../../../llamafile/download.ts";
import type { Home } from "../../../llamafile/home.ts";
import { type Model, modelPath, sizeHere } from "../../../llamafile/library.ts";
import { showBytes } from "../../../base/quantity.ts";
import { reasonOf } from "../../../llamafile/reason.ts";
import type { CommandWorld } from "../../command.ts";
import type { OptionValues } from "../../options/option.ts";
import { processTerminal, startProgress } from "../../progress.ts";
import type { DOWNLOAD_OPTIONS } from "../option-groups.ts";
import { Interrupted, untilInterrupted } from "./interrupted.ts";

type Wishes = OptionValues<typeof DOWNLOAD_OPTIONS>;

/** @throws CommandError when it cannot be had, Interrupted when it was ended */
export async function getModel(home: Home, model: Model, world: CommandWorld, wishes: Wishes, isForced = false): Promise<Downloaded> {
  const { url } = model;
  if (url === null) {
    const size = sizeHere(home, model);
    if (size !== null) return { path: modelPath(home, model), sizeBytes: size, isChecked: false, isFresh: false };
    throw new CommandError(
      `${model.slug} was imported, and its file is not there any more; import it again after 'modelrelay llamafile rm ${model.slug}'`,
    );
  }
  const view = createView(model, world);
  const { stallMs, tries: triesMax, retryDelayMs: backoffMs } = wishes;
  const how = { home, clock: world.clock, observer: view, stallMs, triesMax, backoffMs };
  try {
    return await untilInterrupted(async (signal) => await downloadModel({ ...model, url }, { ...how, signal }, isForced));
  } catch (error) {
    view.stop();
    if (error instanceof Interrupted)
      world.tell(`${model.slug}: stopped. What is here is kept; 'modelrelay llamafile download ${model.slug}' goes on\n`);
    throw error;
  } finally {
    view.stop();
  }
}

/** Removes the file and what there is of an unfinished download or import. */
export async function removeFile(home: Home, model: Model): Promise<void> {
  const path = modelPath(home, model);
  await Promise.all([path, `${path}.part`, `${path}.part.json`, `${path}.import`].map((each) => unlink(each).catch(ignoreMissing(each))));
}

// Where nobody looks at a terminal, a line this often.
const LINE_EVERY_SHARE = 0.1;
const LINE_EVERY_MS = 15_000;

/** A bar on a terminal, lines elsewhere. */
function createView({ slug }: Model, { tell, clock }: CommandWorld) {
  const terminal = processTerminal(tell);
  const seen = { done: 0, total: null as number | null };
  let bar: { stop(): void } | null = null;
  let told = { share: 0, atMs: clock.nowMs() };
  const start = () => startProgress({ label: slug, state: () => seen, show: showBytes }, terminal, clock);
  return {
    onBytes(done: number, total: number | null): void {
      Object.assign(seen, { done, total });
      bar ??= start();
      if (terminal.isTty) return;
      const share = total === null || total === 0 ? 0 : done / total;
      if (share - told.share < LINE_EVERY_SHARE && clock.nowMs() - told.atMs < LINE_EVERY_MS) return;
      told = { share, atMs: clock.nowMs() };
      tell(`${slug}: ${total === null ? showBytes(done) : `${Math.floor(share * 100)}%, ${showBytes(done)} of ${showBytes(total)}`}\n`);
    },
    onNews(text: string): void {
      bar?.stop();
      bar = null;
      tell(`${slug}: ${text}\n`);
    },
    stop(): void {
      bar?.stop();
      bar = null;
    },
  };
}

function ignoreMissing(path: string) {
  return (error: unknown): void => {
    if (reasonOf(error) !== "ENOENT") throw new CommandError(`${path} cannot be removed (${reasonOf(error)})`);
  };
}
