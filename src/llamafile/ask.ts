// Asks a model one question as its users would, and takes the time: whether it works is seen by its answering.
import * as v from "valibot";
import { readBodyJson, readBodyText } from "../base/bounded-body.ts";
import type { Clock } from "../base/clock.ts";
import { CommandError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";

export interface Question {
  /** Base URL, without /v1. */
  readonly url: string;
  readonly model: string;
  readonly apiKey: string | null;
  readonly tlsCa: string | null;
  /** Null: none is on the way. */
  readonly proxy: URL | null;
  readonly prompt: string;
  readonly isForEmbeddings: boolean;
  readonly timeoutMs: number;
  /** What is said of a 401, beside its own words; null: nothing. */
  readonly keyAdvice: string | null;
}

export interface Reply {
  /** The words; of embeddings, how many numbers came. */
  readonly text: string;
  readonly firstMs: number;
  readonly totalMs: number;
  /** Pieces the answer came in; about one a token. */
  readonly chunks: number;
}

/** @throws CommandError naming who was asked and what came instead of an answer */
export async function ask(question: Question, clock: Clock): Promise<Reply> {
  const { url, timeoutMs } = question;
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await post(question, signal);
    if (!response.ok) {
      const advice = response.status === UNAUTHORIZED && question.keyAdvice !== null ? `; ${question.keyAdvice}` : "";
      throw new CommandError(`${url} answered ${response.status}: ${await explain(response)}${advice}`);
    }
    return question.isForEmbeddings
      ? await readEmbedding(response, clock, response.startedMs)
      : await readStream(response, clock, response.startedMs);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    if (signal.aborted) throw new CommandError(`${url} had not answered to the end after ${timeoutMs / 1000} s; --timeout gives it longer`);
    const code = error instanceof Error && "code" in error ? String(error.code) : "no connection";
    throw new CommandError(`${url} cannot be asked (${printable(code)})`);
  }

  async function post({ model, apiKey, tlsCa, proxy, prompt, isForEmbeddings }: Question, signal: AbortSignal) {
    const startedMs = clock.nowMs();
    const body = isForEmbeddings
      ? { model, input: prompt }
      : { model, stream: true, max_tokens: ANSWER_MAX_TOKENS, messages: [{ role: "user", content: prompt }] };
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (apiKey !== null) headers["authorization"] = `Bearer ${apiKey}`;
    const response = await fetch(`${url}/v1/${isForEmbeddings ? "embeddings" : "chat/completions"}`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
      signal,
      redirect: "manual",
      proxy: proxy === null ? false : proxy.href,
      ...(tlsCa === null ? {} : { tls: { ca: tlsCa } }),
    });
    return Object.assign(response, { startedMs });
  }
}

const UNAUTHORIZED = 401;
const ANSWER_MAX_TOKENS = 256;
const BODY_MAX_CHARS = 4 * 1024 ** 2;

const Delta = v.looseObject({
  choices: v.optional(
    v.array(
      v.looseObject({
        // Thinking models think in a field of its own.
        delta: v.optional(v.looseObject({ content: v.nullish(v.string()), reasoning_content: v.nullish(v.string()) })),
      }),
    ),
  ),
  error: v.optional(v.looseObject({ message: v.optional(v.string()) })),
});
const Embeddings = v.looseObject({ data: v.pipe(v.array(v.looseObject({ embedding: v.array(v.number()) })), v.minLength(1)) });
const Refusal = v.looseObject({ error: v.looseObject({ message: v.string() }) });

async function readStream(response: Response, clock: Clock, startedMs: number): Promise<Reply> {
  const decoder = new TextDecoder();
  let [pending, text, firstMs, chunks, isDone, isUseful] = ["", "", Number.NaN, 0, false, false];
  for await (const bytes of response.body ?? []) {
    pending += decoder.decode(bytes, { stream: true });
    if (text.length + pending.length > BODY_MAX_CHARS) throw new CommandError("the answer is too long to be one");
    const lines = pending.split(/\r?\n/);
    pending = lines.pop() ?? "";
    for (const line of lines) {
      const data = /^data: ?(.*)$/.exec(line)?.[1];
      if (data === undefined) continue;
      if (data === "[DONE]") isDone = true;
      else {
        const { words, isPiece } = readDelta(data);
        isUseful ||= isPiece;
        if (!isPiece) continue;
        if (chunks++ === 0) firstMs = clock.nowMs() - startedMs;
        text += words;
      }
    }
  }
  if (!isDone) throw new CommandError(`the answer broke off ${isUseful ? `after ${chunks} pieces` : "before its first word"}`);
  if (!isUseful) throw new CommandError("the answer ended without a word");
  return { text, firstMs, totalMs: clock.nowMs() - startedMs, chunks };
}

function readDelta(data: string): { readonly words: string; readonly isPiece: boolean } {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), Delta), data);
  if (!parsed.success) throw new CommandError(`the stream holds something that is no chat completion: ${printable(data.slice(0, 100))}`);
  const { error, choices } = parsed.output;
  if (error !== undefined) throw new CommandError(`the answer ended with an error: ${printable(error.message ?? "without a message")}`);
  const delta = choices?.[0]?.delta;
  const words = delta?.content ?? "";
  return { words, isPiece: words !== "" || (delta?.reasoning_content ?? "") !== "" };
}

async function readEmbedding(response: Response, clock: Clock, startedMs: number): Promise<Reply> {
  const parsed = v.safeParse(Embeddings, await readBodyJson(response));
  if (!parsed.success) throw new CommandError("the answer holds no embedding");
  const totalMs = clock.nowMs() - startedMs;
  return { text: `an embedding of ${parsed.output.data[0]!.embedding.length} numbers`, firstMs: totalMs, totalMs, chunks: 1 };
}

async function explain(response: Response): Promise<string> {
  const text = await readBodyText(response).catch(() => "");
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), Refusal), text);
  return printable((parsed.success ? parsed.output.error.message : text.trim()).slice(0, 300)) || "nothing more";
}
