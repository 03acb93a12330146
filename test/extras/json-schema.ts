// Checks a value against a JSON schema, as far as Kubernetes' own schemas go: what such a schema has never said before is an error, not a pass.
import * as v from "valibot";

interface Schema {
  readonly type?: string | readonly string[];
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly oneOf?: readonly Schema[];
  readonly format?: string;
}

const schema: v.GenericSchema<unknown, Schema> = v.strictObject({
  type: v.exactOptional(v.union([v.string(), v.array(v.string())])),
  $ref: v.exactOptional(v.string()),
  properties: v.exactOptional(
    v.record(
      v.string(),
      v.lazy(() => schema),
    ),
  ),
  required: v.exactOptional(v.array(v.string())),
  additionalProperties: v.exactOptional(v.union([v.boolean(), v.lazy(() => schema)])),
  items: v.exactOptional(v.lazy(() => schema)),
  enum: v.exactOptional(v.array(v.unknown())),
  oneOf: v.exactOptional(v.array(v.lazy(() => schema))),
  // Sizes of numbers and encodings of text, which the manifests here do not come near to.
  format: v.exactOptional(v.picklist(["int32", "int64", "double", "byte", "date-time"])),
});

const bundle = v.object({ kinds: v.record(v.string(), schema), $defs: v.record(v.string(), schema) });

/** What a document is, by its `apiVersion/kind`, and everything these are made of. */
export type SchemaBundle = v.InferOutput<typeof bundle>;

/** @throws when a schema says anything this checker does not know */
export function parseBundle(value: unknown): SchemaBundle {
  return v.parse(bundle, value);
}

/** What is wrong with a document, each with its place; empty when it is as it should be. */
export function mistakesIn(document: unknown, kind: string, schemas: SchemaBundle): readonly string[] {
  const found = schemas.kinds[kind];
  return found === undefined ? [`there is no schema for ${kind}`] : mistakes(document, found, "", schemas.$defs);
}

function mistakes(value: unknown, given: Schema, place: string, definitions: SchemaBundle["$defs"]): readonly string[] {
  if (given.$ref !== undefined) {
    const target = definitions[given.$ref.replace("#/$defs/", "")];
    return target === undefined ? [`${place}: no definition ${given.$ref}`] : mistakes(value, target, place, definitions);
  }
  const found: string[] = [];
  const { type, enum: allowed, oneOf } = given;
  if (type !== undefined && ![type].flat().some((name) => isOfType(value, name))) return [`${place}: not of type ${String(type)}`];
  if (allowed !== undefined && !allowed.includes(value)) found.push(`${place}: not one of ${allowed.join(", ")}`);
  if (oneOf !== undefined && oneOf.filter((one) => mistakes(value, one, place, definitions).length === 0).length !== 1)
    found.push(`${place}: none, or more than one, of what it may be`);
  if (Array.isArray(value)) {
    const { items = {} } = given;
    found.push(...value.flatMap((item, index) => mistakes(item, items, `${place}[${index}]`, definitions)));
  } else if (isObject(value)) found.push(...mistakesOfObject(value, given, place, definitions));
  return found;
}

function mistakesOfObject(value: object, given: Schema, place: string, definitions: SchemaBundle["$defs"]): readonly string[] {
  const missing = (given.required ?? []).filter((name) => !Object.hasOwn(value, name)).map((name) => `${place}.${name}: missing`);
  const fields = Object.entries(value).flatMap(([name, field]) => {
    const known = given.properties?.[name] ?? given.additionalProperties ?? given.properties === undefined;
    if (known === true) return [];
    return known === false ? [`${place}.${name}: unknown`] : mistakes(field, known, `${place}.${name}`, definitions);
  });
  return [...missing, ...fields];
}

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "object":
      return isObject(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
