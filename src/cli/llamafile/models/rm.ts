// `modelrelay llamafile rm`: removes a model's file; of an imported one the link or the copy, never the file it was made of.
import { lstatSync } from "node:fs";
import { createInterface } from "node:readline";
import { CommandError, UsageError } from "../../../base/errors.ts";
import { changeImports, type Model, modelPath, readImports, sizeHere } from "../../../llamafile/library.ts";
import type { Home } from "../../../llamafile/home.ts";
import { tryLock } from "../../../llamafile/lock.ts";
import { showBytes } from "../../../base/quantity.ts";
import { isUp, removeRunState, statusNow } from "../../../llamafile/run-state.ts";
import type { CommandBody } from "../../command.ts";
import { removeFile } from "./get-model.ts";
import { RM_OPTIONS } from "../options.ts";
import { readLine } from "../settings.ts";
import { MODELS_WORD, modelOf } from "../words.ts";

const LINE = { options: RM_OPTIONS, words: [MODELS_WORD] };

export const rm: CommandBody = {
  ...LINE,
  async run(args, world) {
    const { values, words, home } = readLine("rm", LINE, args, world.env);
    const models = [...new Set(words.map((word) => modelOf(home, word)))];
    for (const model of models) checkRemovable(home, model);
    const answer = values.yes ? "yes" : await askWhetherSure(home, models);
    if (answer !== "yes") {
      // A key has not ended the line of the question.
      world.tell(`${answer === "no" ? "" : "\n"}Nothing is removed.\n`);
      return answer === "Ctrl+C" ? INTERRUPTED : 1;
    }
    for (const model of models) {
      using running = tryLock(home, `keep-${model.slug}`);
      using downloading = tryLock(home, `download-${model.file}`);
      if (running === null || isUp(statusNow(home, model.slug))) throw new CommandError(explainRunning(model));
      if (downloading === null) throw new CommandError(`${model.slug} is being downloaded at this moment; nothing is removed`);
      await removeFile(home, model);
      if (model.url === null) changeImports(home, (imports) => imports.filter(({ slug }) => slug !== model.slug));
      removeRunState(home, model.slug);
      world.print(`${model.slug}: removed\n`);
    }
    return 0;
  },
};

/** @throws CommandError when it runs, or there is nothing of it */
function checkRemovable(home: Home, model: Model): void {
  if (isUp(statusNow(home, model.slug))) throw new CommandError(explainRunning(model));
  const isImported = readImports(home).some(({ slug }) => slug === model.slug);
  // A link that leads nowhere any more is there to be removed.
  const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  const isHere = isThere(modelPath(home, model)) || isThere(`${modelPath(home, model)}.part`);
  if (!isHere && !isImported) throw new CommandError(`${model.slug} is not downloaded: there is nothing to remove`);
}

function explainRunning({ slug }: Model): string {
  return `${slug} runs; 'modelrelay llamafile stop ${slug}' first`;
}

/** @throws UsageError where nobody can be asked */
async function askWhetherSure(home: Home, models: readonly Model[]): Promise<"yes" | "no" | "Ctrl+D" | "Ctrl+C"> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) throw new UsageError("nobody can be asked here: --yes says that it is meant");
  const names = models.map((model) => `${model.slug} (${showBytes(sizeHere(home, model) ?? 0)})`);
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  const { promise, resolve } = Promise.withResolvers<"yes" | "no" | "Ctrl+D" | "Ctrl+C">();
  // The terminal leaves both keys to whoever reads lines from it.
  asking.once("SIGINT", () => resolve("Ctrl+C"));
  asking.once("close", () => resolve("Ctrl+D"));
  asking.question(`Remove ${names.join(", ")}? [y/N] `, (answer) => resolve(/^y(es)?$/i.test(answer.trim()) ? "yes" : "no"));
  const answer = await promise;
  asking.close();
  return answer;
}

const INTERRUPTED = 130;
