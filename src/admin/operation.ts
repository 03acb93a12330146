// What the OpenAPI document says of one route; the tables made of these are openapi-clients.ts and openapi-operators.ts.
import type * as v from "valibot";
import type { RefusalCode } from "../base/errors.ts";

export interface Operation {
  readonly method: "get" | "post" | "delete";
  /** With {placeholders}. */
  readonly path: string;
  readonly id: string;
  readonly tag: "Inference" | "Models" | "Health" | "Operators" | "Workers";
  readonly summary: string;
  readonly description?: string;
  readonly access: "public" | "client" | "operator" | "worker";
  readonly parameters?: readonly Parameter[];
  readonly body?: Content;
  readonly answers: readonly Answer[];
  readonly refusals: readonly RefusalCode[];
  /** Errors have the Anthropic shape. */
  readonly isAnthropic?: boolean;
}

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly description: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

export interface Answer {
  readonly status: number;
  readonly description: string;
  readonly contents?: readonly Content[];
}

/** One form a body may have. */
export interface Content {
  readonly type: "application/json" | "text/event-stream" | "text/html";
  /** One of the tables' own schemas; null: anything. */
  readonly schema: v.GenericSchema | null;
  readonly example?: unknown;
}

/** JSON with an example the compiler checks against the schema; a test checks the values. */
export function json<S extends v.GenericSchema>(schema: S, example: Frozen<v.InferInput<S>>): Content {
  return { type: "application/json", schema, example };
}

type Frozen<T> = T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T;

export function inPath(name: string, description: string): Parameter {
  return { name, in: "path", description, schema: { type: "string" } };
}
