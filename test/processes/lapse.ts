// Time that has to pass because nothing happens in it: spent listening to a backend that speaks at a known pace.
import { readEvents } from "../support/sse-reader.ts";
import { within } from "../support/until.ts";
import { ask } from "./asking.ts";
import { PATIENCE_MS } from "./child.ts";

const WORD_EVERY_MS = 20;

/** Resolves when `backend` has told so many milliseconds' worth of words, all of them asked of it directly. */
export async function lapse(backend: { readonly url: string }, ms: number): Promise<void> {
  const words = Math.ceil(ms / WORD_EVERY_MS);
  const response = await ask(backend, { marker: `fake:words:${words}:${WORD_EVERY_MS}`, stream: true });
  await within(readEvents(response), "the words that take their time", ms + PATIENCE_MS);
}
