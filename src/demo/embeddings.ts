// OpenAI's embeddings (POST /v1/embeddings): small vectors that are always the same for the same text.
import type { CreateEmbeddingResponse } from "openai/resources/embeddings";
import * as v from "valibot";
import { model, parseBody } from "./body.ts";
import { MODEL_NAME, requireDemoModel } from "./models.ts";
import { countTextTokens } from "./tokens.ts";
import { toVector, VECTOR_DIMENSIONS } from "./vector.ts";

const tokenIds = v.array(v.number());

const body = v.looseObject({
  model,
  input: v.union([v.string(), v.array(v.string()), tokenIds, v.array(tokenIds)]),
  encoding_format: v.nullish(v.picklist(["float", "base64"])),
  dimensions: v.nullish(v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(4096))),
});

type Embedding = Omit<CreateEmbeddingResponse["data"][number], "embedding"> & { readonly embedding: number[] | string };

/** @throws DemoRefusal 400, 404 */
export function embeddings(raw: unknown): object {
  const parsed = parseBody(body, raw);
  requireDemoModel(parsed.model ?? null);
  const texts = toTexts(parsed.input);
  const tokens = texts.reduce((sum, text) => sum + countTextTokens(text), 0);
  return {
    object: "list",
    data: texts.map((text, index): Embedding => {
      const vector = toVector(text, parsed.dimensions ?? VECTOR_DIMENSIONS);
      return { object: "embedding", index, embedding: parsed.encoding_format === "base64" ? toBase64(vector) : [...vector] };
    }),
    model: MODEL_NAME,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  } satisfies Omit<CreateEmbeddingResponse, "data"> & { data: Embedding[] };
}

/** One text, several texts, one list of token ids, or several. */
function toTexts(input: v.InferOutput<typeof body>["input"]): readonly string[] {
  if (typeof input === "string") return [input];
  const isOneListOfIds = typeof input[0] === "number";
  return isOneListOfIds ? [input.join(" ")] : input.map((entry) => (Array.isArray(entry) ? entry.join(" ") : String(entry)));
}

/** 32-bit floats, lowest byte first. */
function toBase64(vector: Float32Array): string {
  const view = new DataView(new ArrayBuffer(vector.length * Float32Array.BYTES_PER_ELEMENT));
  for (const [index, value] of vector.entries()) view.setFloat32(index * Float32Array.BYTES_PER_ELEMENT, value, true);
  return Buffer.from(view.buffer).toString("base64");
}
