// One request for an embedding: the proof of a model that does not talk.
import * as v from "valibot";
import { readBodyJson } from "../../base/bounded-body.ts";
import type { Clock } from "../../base/clock.ts";
import { type AskedModel, type FailedTry, failureOf, postTo, refusalOf } from "./ask-model.ts";

export type EmbeddingResult = { readonly kind: "embedded"; readonly numbers: number; readonly totalMs: number } | FailedTry;

/** Never throws: whatever goes wrong is the result. */
export async function tryEmbedding(asked: AskedModel, clock: Pick<Clock, "nowMs">): Promise<EmbeddingResult> {
  const startMs = clock.nowMs();
  try {
    const response = await postTo(asked, "/v1/embeddings", { model: asked.model, input: asked.prompt });
    if (response.status !== 200) return await refusalOf(response);
    const body = v.safeParse(Embeddings, await readBodyJson(response));
    if (!body.success) return { kind: "failed", reason: "the answer holds no embedding" };
    return { kind: "embedded", numbers: body.output.data[0]!.embedding.length, totalMs: clock.nowMs() - startMs };
  } catch (error) {
    return failureOf(error, asked);
  }
}

const Embeddings = v.object({ data: v.pipe(v.array(v.object({ embedding: v.array(v.number()) })), v.minLength(1)) });
