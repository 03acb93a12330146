// A stream that runs beside what a test is about, and must not notice any of it: every word comes, once and in order.
import { expect } from "bun:test";
import * as v from "valibot";
import { SseReader } from "../support/sse-reader.ts";
import { within } from "../support/until.ts";
import { ask, type Question } from "./asking.ts";
import { PATIENCE_MS } from "./child.ts";
import type { Backend } from "./rig.ts";

const WORD_EVERY_MS = 10;

const delta = v.object({ content: v.optional(v.string()) });
const chatChunk = v.pipe(v.string(), v.parseJson(), v.object({ choices: v.tuple([v.object({ delta })]) }));

export class Neighbour {
  readonly #reader: SseReader;
  #words = 0;

  constructor(response: Response) {
    expect(response.status).toBe(200);
    this.#reader = new SseReader(response);
  }

  /** Reads so many words more, each the one that has to come next. */
  async flows(words = 20): Promise<void> {
    for (let read = 0; read < words; read++) expect(await this.#nextWord()).toBe(`${this.#words++} `);
  }

  /** Lets the backend end it, and reads on to an end that is as it should be. */
  async finishes(backend: Backend): Promise<void> {
    await backend.release();
    let word = await this.#nextWord();
    for (; word !== null; word = await this.#nextWord()) expect(word).toBe(`${this.#words++} `);
    const rest = await within(this.#reader.rest(), "the end of the neighbour's stream", PATIENCE_MS);
    expect(rest.at(-1)?.data).toBe("[DONE]");
    expect(this.#reader.end?.kind).toBe("clean");
  }

  /** Hangs up. */
  async leaves(): Promise<void> {
    await this.#reader.cancel();
  }

  /** Null for the event that holds no word: the last but one. */
  async #nextWord(): Promise<string | null> {
    const event = await within(this.#reader.next(), `the neighbour's word ${this.#words}`, PATIENCE_MS);
    if (event === null) throw new Error(`the neighbour's stream ended after ${this.#words} words`);
    const chunk = v.safeParse(chatChunk, event.data);
    if (!chunk.success) throw new Error(`the neighbour got ${event.data}`);
    return chunk.output.choices[0].delta.content ?? null;
  }
}

/** Begins the stream and sees its first words. */
export async function startNeighbour(to: { readonly url: string }, question: Question = {}): Promise<Neighbour> {
  const asked = { id: "neighbour", ...question, marker: `fake:held:${WORD_EVERY_MS}`, stream: true };
  const neighbour = new Neighbour(await ask(to, asked));
  await neighbour.flows(2);
  return neighbour;
}
