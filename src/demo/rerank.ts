// Reranking (POST /v1/rerank), in the form Jina introduced and llama.cpp and vLLM speak: documents ordered by how well they fit a query.
import * as v from "valibot";
import { model, parseBody } from "./body.ts";
import { MODEL_NAME, requireDemoModel } from "./models.ts";
import { countTextTokens } from "./tokens.ts";
import { similarity, toVector } from "./vector.ts";

const body = v.looseObject({
  model,
  query: v.string(),
  documents: v.array(v.union([v.string(), v.looseObject({ text: v.string() })])),
  top_n: v.nullish(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
  return_documents: v.nullish(v.boolean()),
});

// More than an embedding has: with few documents, words that share a direction by chance would show.
const RERANK_DIMENSIONS = 1024;

/** @throws DemoRefusal 400, 404 */
export function rerank(raw: unknown): object {
  const parsed = parseBody(body, raw);
  requireDemoModel(parsed.model ?? null);
  const query = toVector(parsed.query, RERANK_DIMENSIONS);
  const texts = parsed.documents.map((document) => (typeof document === "string" ? document : document.text));
  const results = texts
    .map((text, index) => ({
      index,
      relevance_score: similarity(query, toVector(text, RERANK_DIMENSIONS)),
      ...(parsed.return_documents === true ? { document: { text } } : {}),
    }))
    .sort((a, b) => b.relevance_score - a.relevance_score)
    .slice(0, parsed.top_n ?? texts.length);
  const tokens = [parsed.query, ...texts].reduce((sum, text) => sum + countTextTokens(text), 0);
  return { object: "list", model: MODEL_NAME, results, usage: { prompt_tokens: tokens, total_tokens: tokens } };
}
