// One streamed chat request to a relay over real HTTP, shown as it comes: the proof that everything is connected.
import * as v from "valibot";
import type { Clock } from "../../base/clock.ts";
import { printable } from "../../base/printable.ts";
import { type AskedModel, ErrorBody, type FailedTry, failureOf, postTo, refusalOf } from "./ask-model.ts";

interface TryOut extends AskedModel {
  /** ANSWER_MAX_TOKENS when not given. */
  readonly maxTokens?: number;
}

interface TryOutWorld {
  readonly clock: Pick<Clock, "nowMs">;
  readonly print: (text: string) => void;
}

export type TryOutResult =
  | { readonly kind: "answered"; readonly firstTokenMs: number; readonly totalMs: number; readonly pieces: number }
  | FailedTry;

/** Never throws: whatever goes wrong is the result. */
export async function tryOut(asked: TryOut, { clock, print }: TryOutWorld): Promise<TryOutResult> {
  const startMs = clock.nowMs();
  let firstTokenMs: number | null = null;
  let pieces = 0;
  try {
    const response = await ask(asked);
    if (response.status !== 200) return await refusalOf(response);
    if (/\bjson\b/.test(response.headers.get("content-type") ?? ""))
      return { kind: "failed", reason: "it answered whole, not as a stream" };
    let isComplete = false;
    for await (const data of sseData(response)) {
      if (data === "[DONE]") isComplete = true;
      const event = v.safeParse(ChatEvent, parseJson(data));
      if (!event.success) continue;
      if (event.output.error !== undefined) return { kind: "failed", reason: printable(event.output.error.message) };
      const text = spokenText(event.output);
      if (text === "") continue;
      firstTokenMs ??= clock.nowMs() - startMs;
      pieces++;
      print(withoutControls(text));
    }
    if (!isComplete) return { kind: "failed", reason: "the answer ended before it was complete" };
    if (firstTokenMs === null) return { kind: "failed", reason: "the answer ended without a word" };
    return { kind: "answered", firstTokenMs, totalMs: clock.nowMs() - startMs, pieces };
  } catch (error) {
    return failureOf(error, asked);
  }
}

/** `first token after 12 ms, 24 tokens in 640 ms (38 tokens/s)`. */
export function describeTimings({ firstTokenMs, totalMs, pieces }: Extract<TryOutResult, { kind: "answered" }>): string {
  const speakingMs = totalMs - firstTokenMs;
  const speed = pieces > 1 && speakingMs >= 1 ? ` (${Math.round(((pieces - 1) * 1000) / speakingMs)} tokens/s)` : "";
  return `first token after ${Math.round(firstTokenMs)} ms, ${pieces === 1 ? "1 token" : `${pieces} tokens`} in ${Math.round(totalMs)} ms${speed}`;
}

// Enough for a sentence even of a model that thinks first.
const ANSWER_MAX_TOKENS = 512;

const ChatEvent = v.object({
  error: v.optional(ErrorBody),
  choices: v.optional(
    v.array(
      v.object({
        delta: v.nullish(
          v.object({ content: v.nullish(v.string()), reasoning_content: v.nullish(v.string()), reasoning: v.nullish(v.string()) }),
        ),
      }),
    ),
  ),
});

async function ask({ maxTokens = ANSWER_MAX_TOKENS, ...asked }: TryOut): Promise<Response> {
  const { model, prompt } = asked;
  const body = { model, stream: true, max_tokens: maxTokens, messages: [{ role: "user", content: prompt }] };
  return await postTo(asked, "/v1/chat/completions", body);
}

/** What a model thinks aloud is shown too: it is what one waits for. Servers have different names for it. */
function spokenText({ choices }: v.InferOutput<typeof ChatEvent>): string {
  const delta = choices?.[0]?.delta;
  const texts = [delta?.content, delta?.reasoning_content, delta?.reasoning];
  return texts.find((text) => text !== undefined && text !== null && text !== "") ?? "";
}

// No model says so much at once.
const LINE_MAX_CHARS = 1024 ** 2;

// No model that is asked for so few tokens says so much.
const ANSWER_MAX_BYTES = 16 * 1024 ** 2;

/** The `data` of each event; comments and other fields are passed over. */
async function* sseData(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  let bytesLeft = ANSWER_MAX_BYTES;
  for await (const bytes of response.body ?? []) {
    bytesLeft -= bytes.length;
    if (bytesLeft < 0) throw new Error("the answer is too long to be one");
    const lines = (rest + decoder.decode(bytes, { stream: true })).split(/\r?\n/);
    rest = lines.pop() ?? "";
    if (rest.length > LINE_MAX_CHARS) throw new Error("a line of the answer has no end");
    for (const line of lines) if (line.startsWith("data:")) yield line.slice("data:".length).trim();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Line breaks belong to an answer; what would steer the terminal does not. */
function withoutControls(text: string): string {
  return text.split("\n").map(printable).join("\n");
}
