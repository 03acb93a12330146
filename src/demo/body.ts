// The parts of request bodies that several dialects share, and how a body that does not fit is refused.
import * as v from "valibot";
import { DemoRefusal } from "./refusal.ts";

export const model = v.nullish(v.string());
export const isStreaming = v.nullish(v.boolean());
export const tokenLimit = v.nullish(v.pipe(v.number(), v.safeInteger(), v.minValue(1)));
export const streamOptions = v.nullish(v.looseObject({ include_usage: v.nullish(v.boolean()) }));

/** Message content: plain text, or parts of which only some hold text. */
export const content = v.nullish(v.union([v.string(), v.array(v.looseObject({ type: v.string(), text: v.nullish(v.string()) }))]));

/** The text of a message's content, its parts one below the other; of anything else, none. */
export function textOf(value: unknown): string {
  const { success, output } = v.safeParse(content, value);
  if (!success || output === null || output === undefined) return "";
  if (typeof output === "string") return output;
  return output.flatMap((part) => (typeof part.text === "string" ? [part.text] : [])).join("\n");
}

/** @throws DemoRefusal 400 that names the field */
export function parseBody<Schema extends v.GenericSchema>(schema: Schema, body: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, body);
  if (result.success) return result.output;
  const field = v.getDotPath(result.issues[0]);
  const where = field === null ? "The request body" : `'${field}'`;
  throw new DemoRefusal(400, "invalid_request", `${where} does not have the form this route needs.`);
}
