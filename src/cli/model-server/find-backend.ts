// Finds the model servers of this machine by asking at the ports they usually listen on.
import * as v from "valibot";
import { readBodyJson } from "../../base/bounded-body.ts";
import { printable } from "../../base/printable.ts";

interface Place {
  /** Programs that listen there unless told otherwise. */
  readonly name: string;
  readonly port: number;
}

/** In the order of preference. */
export const USUAL_PLACES: readonly Place[] = [
  { name: "Ollama", port: 11434 },
  { name: "LM Studio", port: 1234 },
  { name: "llama-server or llamafile", port: 8080 },
  { name: "llama-server or llamafile", port: 8081 },
  { name: "vLLM", port: 8000 },
  { name: "SGLang", port: 30000 },
  { name: "KoboldCpp", port: 5001 },
  { name: "text-generation-webui or TabbyAPI", port: 5000 },
  { name: "Jan", port: 1337 },
];

export interface FoundBackend {
  readonly name: string;
  readonly url: URL;
  /** As the backend lists them; none when it has loaded none yet. */
  readonly models: readonly string[];
}

/** The backends found, in the order of `places`. Takes at most `limitMs`, plus a little. */
export async function findBackends(places: readonly Place[] = USUAL_PLACES, limitMs = PROBE_LIMIT_MS): Promise<readonly FoundBackend[]> {
  const answers = await Promise.all(
    places.map(async ({ name, port }) => {
      const url = new URL(`http://127.0.0.1:${port}`);
      const models = await listModels(url, { apiKey: null, limitMs });
      return models === null ? null : { name, url, models };
    }),
  );
  return answers.filter((answer) => answer !== null);
}

interface Asking {
  readonly apiKey: string | null;
  readonly limitMs: number;
}

/** The models a backend lists, or null when there is none: nothing answers, or what answers is no model server but a relay. */
export async function listModels(base: URL, { apiKey, limitMs }: Asking): Promise<readonly string[] | null> {
  const signal = AbortSignal.timeout(limitMs);
  const ask = (path: string) => askJson(`${base.href.replace(/\/+$/, "")}${path}`, apiKey, signal);
  const [openAi, ollama, health] = await Promise.all([ask("/v1/models"), ask("/api/tags"), ask("/health")]);
  if (v.is(RelayHealth, health)) return null;
  const openAiList = v.safeParse(OpenAiModels, openAi);
  if (openAiList.success && openAiList.output.length > 0) return openAiList.output;
  const ollamaList = v.safeParse(OllamaModels, ollama);
  if (ollamaList.success) return ollamaList.output;
  return openAiList.success ? openAiList.output : null;
}

/** The model to name in examples: the first that looks as if one could talk to it. */
export function pickChatModel(models: readonly string[]): string | null {
  return models.find((model) => !NOT_FOR_CHAT.test(model)) ?? models[0] ?? null;
}

/** A server on this machine that is well answers within a few milliseconds. */
const PROBE_LIMIT_MS = 300;

const NOT_FOR_CHAT = /embed|rerank|whisper|tts|bge-|minilm|stable-diffusion/i;

// A name that would not survive printing is no name to print.
const ModelName = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(256),
  v.check((name) => printable(name) === name),
);
const OpenAiModels = v.pipe(
  v.object({ data: v.nullable(v.array(v.object({ id: ModelName }))) }),
  v.transform(({ data }) => (data ?? []).map((model) => model.id)),
);
const OllamaModels = v.pipe(
  v.object({ models: v.nullable(v.array(v.object({ name: ModelName }))) }),
  v.transform(({ models }) => (models ?? []).map((model) => model.name)),
);
const RelayHealth = v.object({ workers_connected: v.number(), queue_depth: v.number() });

/** Null for everything but a 200 with JSON. */
async function askJson(url: string, apiKey: string | null, signal: AbortSignal): Promise<unknown> {
  try {
    const headers: Record<string, string> = apiKey === null ? {} : { authorization: `Bearer ${apiKey}` };
    // A model server is always reached directly, as the worker does it.
    const response = await fetch(url, { headers, signal, redirect: "manual", proxy: false });
    if (response.status === 200) return await readBodyJson(response);
    await response.body?.cancel();
    return null;
  } catch {
    return null;
  }
}
