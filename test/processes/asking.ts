// A client as these tests need one: asks with a marker for the backend, and says in one object what came of it.
import * as v from "valibot";
import { SseReader } from "../support/sse-reader.ts";
import { within } from "../support/until.ts";
import { PATIENCE_MS } from "./child.ts";
import { MODEL } from "./rig.ts";

export interface Question {
  /** What the backend is to do: see fake-backend-process.ts. */
  readonly marker?: string;
  readonly stream?: boolean;
  readonly model?: string;
  /** The request's id, in every log. */
  readonly id?: string;
  readonly signal?: AbortSignal;
  /** Makes the body longer by so much. */
  readonly paddingBytes?: number;
}

/** Sends a chat request to a relay, or to a backend itself. Every request has a connection of its own. */
export function ask(to: { readonly url: string }, question: Question = {}): Promise<Response> {
  const { marker = "fake:polite", stream = false, model = MODEL, id, signal, paddingBytes = 0 } = question;
  const messages = [{ role: "user", content: `${marker} ${"x".repeat(paddingBytes)}` }];
  const answer = fetch(new URL("/v1/chat/completions", to.url), {
    method: "POST",
    headers: { "content-type": "application/json", ...(id === undefined ? {} : { "x-request-id": id }) },
    body: JSON.stringify({ model, stream, messages }),
    keepalive: false,
    ...(signal === undefined ? {} : { signal }),
  });
  const answered = within(answer, `an answer to ${JSON.stringify(question)}`, 2 * PATIENCE_MS);
  // A test that fails before it comes to this answer shall not fail for this one too.
  answered.catch(() => {});
  return answered;
}

/** How a request ended for its client. */
export interface Outcome {
  readonly status: number;
  /** `code` of the error, told as a status or in-band; null: none. */
  readonly code: string | null;
  /** Did the connection end as it should? */
  readonly end: "clean" | "broken";
}

export const POLITE: Outcome = { status: 200, code: null, end: "clean" };

/** Reads it all. */
export async function outcomeOf(response: Response): Promise<Outcome> {
  const { status } = response;
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
  if (isStream) {
    const reader = new SseReader(response);
    const events = await within(reader.rest(), "the rest of the stream", PATIENCE_MS);
    return { status, code: codeIn(events.at(-1)?.data ?? ""), end: reader.end?.kind ?? "broken" };
  }
  try {
    return { status, code: codeIn(await within(response.text(), "the whole answer", PATIENCE_MS)), end: "clean" };
  } catch {
    return { status, code: null, end: "broken" };
  }
}

/** `ask` and `outcomeOf` in one; a connection that ended without an answer has the status 0. */
export async function outcome(to: { readonly url: string }, question: Question = {}): Promise<Outcome> {
  try {
    return await outcomeOf(await ask(to, question));
  } catch (error) {
    if (error instanceof Error && error.message.includes("in vain")) throw error;
    return { status: 0, code: null, end: "broken" };
  }
}

const errorBody = v.pipe(v.string(), v.parseJson(), v.object({ error: v.object({ code: v.string() }) }));

function codeIn(text: string): string | null {
  const parsed = v.safeParse(errorBody, text);
  return parsed.success ? parsed.output.error.code : null;
}
