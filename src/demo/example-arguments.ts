// Arguments for a tool call that fit the tool's JSON Schema, made without a model.
import { shorten } from "./tokens.ts";

/** JSON text of an object that has the schema's required properties, or all of them when it requires none. */
export function exampleArguments(schema: unknown, userText: string): string {
  const value = exampleOf({ ...toRecord(schema), type: "object" }, userText, 0);
  return JSON.stringify(value);
}

// Deeper schemas are mostly recursive ones.
const MAX_DEPTH = 8;
const STRING_MAX_CHARS = 80;

/** 1. what the schema itself offers; 2. its first alternative; 3. something of its type. */
function exampleOf(schema: unknown, userText: string, depth: number): unknown {
  const record = toRecord(schema);
  const offered = [record["const"], ...toList(record["enum"]), record["default"], ...toList(record["examples"])];
  const first = offered.find((value) => value !== undefined);
  if (first !== undefined) return first; // (1)
  const alternative = [...toList(record["anyOf"]), ...toList(record["oneOf"]), ...toList(record["allOf"])][0];
  if (alternative !== undefined && depth < MAX_DEPTH) return exampleOf(alternative, userText, depth + 1); // (2)
  return exampleOfType(record, userText, depth); // (3)
}

function exampleOfType(record: Readonly<Record<string, unknown>>, userText: string, depth: number): unknown {
  const type = toList(record["type"])[0] ?? record["type"];
  switch (type) {
    case "object":
      return depth < MAX_DEPTH ? exampleObject(record, userText, depth) : {};
    case "array":
      return depth < MAX_DEPTH && record["items"] !== undefined ? [exampleOf(record["items"], userText, depth + 1)] : [];
    case "integer":
    case "number":
      return typeof record["minimum"] === "number" ? record["minimum"] : 1;
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      return shorten(userText, STRING_MAX_CHARS);
  }
}

function exampleObject(record: Readonly<Record<string, unknown>>, userText: string, depth: number): object {
  const properties = new Map(Object.entries(toRecord(record["properties"])));
  const required = toList(record["required"]).filter((name) => typeof name === "string");
  const names = required.length > 0 ? required : [...properties.keys()];
  return Object.fromEntries(names.map((name) => [name, exampleOf(properties.get(name), userText, depth + 1)]));
}

function toRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {};
}

function toList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
