// The words that the llamafile commands take, and what they mean.
import { CommandError } from "../../base/errors.ts";
import { ALL } from "../../llamafile/catalogue.ts";
import type { Home } from "../../llamafile/home.ts";
import { findModel, type Model, readLibrary } from "../../llamafile/library.ts";
import { slugsWithState } from "../../llamafile/run-state.ts";
import type { PassedWords, WordSlot } from "../options/words.ts";

export const MODEL_WORD: WordSlot = {
  name: "MODEL",
  help: "The model's slug as 'llamafile list' shows it, or its beginning.",
  isNeeded: true,
  isMany: false,
};

export const MODELS_WORD: WordSlot = {
  ...MODEL_WORD,
  help: "The models' slugs as 'llamafile list' shows them, or their beginnings.",
  isMany: true,
};

export const RUNNING_WORD: WordSlot = { ...MODEL_WORD, help: "The running models to stop, or all.", isMany: true };

/** @throws CommandError with the nearest slugs */
export function modelOf(home: Home, word: string | undefined): Model {
  return findModel(readLibrary(home), word ?? "");
}

/** What was started may not be in any catalogue any more. @throws CommandError with the nearest slugs */
export function startedSlugOf(home: Home, word: string | undefined): string {
  const started = slugsWithState(home);
  const wanted = (word ?? "").toLowerCase();
  if (started.includes(wanted)) return wanted;
  const begun = started.filter((slug) => slug.startsWith(wanted));
  return wanted !== "" && begun.length === 1 ? begun[0]! : modelOf(home, word).slug;
}

/** @throws CommandError when a word is no model */
export function stoppableSlugs(home: Home, words: readonly string[]): readonly string[] {
  if (!words.includes(ALL)) return [...new Set(words.map((word) => startedSlugOf(home, word)))];
  if (words.length > 1) throw new CommandError("all means every model: no other name belongs beside it");
  return slugsWithState(home);
}

export const ARGS: PassedWords = { name: "ARGS", help: "Arguments for the llamafile itself, as its own --help lists them." };
