// One streamed chat request to a relay over real HTTP, shown as it comes: the proof that everything is connected.
import * as v from "valibot";
import { readBodyText } from "../../base/bounded-body.ts";
import type { Clock } from "../../base/clock.ts";
import { printable } from "../../base/printable.ts";

interface TryOut {
  /** Without a trailing slash and without `/v1`. */
  readonly baseUrl: string;
  readonly model: string;
  readonly prompt: string;
  readonly signal: AbortSignal;
  /** ANSWER_MAX_TOKENS when not given. */
  readonly maxTokens?: number;
  /** A client's key. */
  readonly apiKey?: string | null;
  /** How the server is reached: a proxy, a CA of its own; directly when not given. */
  readonly reach?: Pick<BunFetchRequestInit, "proxy" | "tls">;
}

interface TryOutWorld {
  readonly clock: Pick<Clock, "nowMs">;
  readonly print: (text: string) => void;
}

export type TryOutResult =
  | { readonly kind: "answered"; readonly firstTokenMs: number; readonly totalMs: number; readonly pieces: number }
  | { readonly kind: "failed"; readonly reason: string };

/** Never throws: whatever goes wrong is the result. */
export async function tryOut(asked: TryOut, { clock, print }: TryOutWorld): Promise<TryOutResult> {
  const startMs = clock.nowMs();
  let firstTokenMs: number | null = null;
  let pieces = 0;
  try {
    const response = await ask(asked);
    if (response.status !== 200) return { kind: "failed", reason: await describeRefusal(response) };
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
    if (!isComplete || firstTokenMs === null) return { kind: "failed", reason: "the answer ended before it was complete" };
    return { kind: "answered", firstTokenMs, totalMs: clock.nowMs() - startMs, pieces };
  } catch (error) {
    return { kind: "failed", reason: asked.signal.aborted ? "stopped" : printable(error instanceof Error ? error.message : String(error)) };
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

const ErrorBody = v.object({ message: v.string() });
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

async function ask({
  baseUrl,
  model,
  prompt,
  signal,
  maxTokens = ANSWER_MAX_TOKENS,
  apiKey = null,
  reach = { proxy: false },
}: TryOut): Promise<Response> {
  return await fetch(`${baseUrl}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }) },
    body: JSON.stringify({ model, stream: true, max_tokens: maxTokens, messages: [{ role: "user", content: prompt }] }),
    signal,
    // A worker follows none either, and what is asked is meant for this server.
    redirect: "manual",
    // The relay's own deadlines end it; a cold model may take minutes to load.
    timeout: false,
    ...reach,
  });
}

/** What a model thinks aloud is shown too: it is what one waits for. */
function spokenText({ choices }: v.InferOutput<typeof ChatEvent>): string {
  const delta = choices?.[0]?.delta;
  return delta?.content ?? delta?.reasoning_content ?? delta?.reasoning ?? "";
}

// No model says so much at once.
const LINE_MAX_CHARS = 1024 ** 2;

/** The `data` of each event; comments and other fields are passed over. */
async function* sseData(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of response.body ?? []) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split(/\r?\n/);
    rest = lines.pop() ?? "";
    if (rest.length > LINE_MAX_CHARS) throw new Error("a line of the answer has no end");
    for (const line of lines) if (line.startsWith("data:")) yield line.slice("data:".length).trim();
  }
}

async function describeRefusal(response: Response): Promise<string> {
  const body = v.safeParse(v.object({ error: ErrorBody }), parseJson(await readBodyText(response)));
  return `${response.status} ${body.success ? printable(body.output.error.message) : ""}`.trim();
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
