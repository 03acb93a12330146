// The catalogue: which models are published as llamafiles, where, and how large they are. A document of one shape, whoever made it.
import * as v from "valibot";
import { printable } from "../base/printable.ts";
import builtIn from "./catalogue.json" with { type: "json" };
import { CommandError } from "../base/errors.ts";
import { isSafeUrl, UNSAFE_URL } from "./safe-url.ts";

/** What a model is called on the command line and on the relay. */
export const Slug = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, "a slug is 1 to 64 of a-z, 0-9, dot, dash and underscore, and begins with a letter or digit"),
  v.check((slug) => slug !== ALL, "the slug all is taken: it stands for every model"),
);

export const ALL = "all";

export const TEXT_MAX_CHARS = 200;

// Escaped signs take more room than they had, and what is stored is read by the same rule.
const shortText = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(TEXT_MAX_CHARS),
  v.transform((text) => printable(text).slice(0, TEXT_MAX_CHARS)),
);

export const Sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "a checksum is 64 hexadecimal digits"));

const Entry = v.object({
  slug: Slug,
  name: shortText,
  // It becomes a file's name here, so it may be nothing else.
  file: v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,150}\.llamafile$/, "a file name ends in .llamafile and has no folders")),
  url: v.pipe(v.string(), v.maxLength(2_048), v.check(isSafeUrl, UNSAFE_URL)),
  size_bytes: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  /** Of the whole file. With it the size is exact too. */
  sha256: v.optional(Sha256),
  licence: shortText,
  tags: v.pipe(v.array(v.pipe(v.string(), v.regex(/^[a-z0-9-]{1,32}$/, "a tag is a word in lower case"))), v.maxLength(16)),
});

export const MODELS_MAX = 2_000;

export const Catalogue = v.pipe(
  v.object({
    version: v.literal(1),
    /** Where it came from, and when (Unix milliseconds); absent in the one that the program brings along. */
    source: v.optional(v.string()),
    updated_at: v.optional(v.number()),
    models: v.pipe(v.array(Entry), v.minLength(1, "there is no model in it"), v.maxLength(MODELS_MAX)),
  }),
  v.check(({ models }) => new Set(models.map(({ slug }) => slug)).size === models.length, "two models have the same slug"),
  // On macOS and Windows these would be one file.
  v.check(({ models }) => new Set(models.map(({ file }) => file.toLowerCase())).size === models.length, "two models have the same file"),
);

export type CatalogueEntry = v.InferOutput<typeof Entry>;
export type CatalogueDocument = v.InferOutput<typeof Catalogue>;

/** The one that the program brings along. */
export function builtInCatalogue(): CatalogueDocument {
  return v.parse(Catalogue, builtIn);
}

/** Reads JSON or tab-separated values with a head line. @throws CommandError naming `from` and what is wrong */
export function parseCatalogue(text: string, from: string): CatalogueDocument {
  return checkCatalogue(text.trimStart().startsWith("{") ? parseJson(text, from) : parseTable(text, from), from);
}

/** @throws CommandError naming `from` and what is wrong */
export function checkCatalogue(document: unknown, from: string): CatalogueDocument {
  const parsed = v.safeParse(Catalogue, document);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const where = v.getDotPath(issue);
  throw new CommandError(`${from} is no catalogue of llamafiles: ${where === null ? "" : `${where}: `}${printable(issue.message)}`);
}

function parseJson(text: string, from: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CommandError(`${from} is no catalogue of llamafiles: it begins like JSON and is not`);
  }
}

/** The columns may stand in any order; those without a meaning here are left out. */
function parseTable(text: string, from: string): unknown {
  const [head = "", ...lines] = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  if (lines.length > MODELS_MAX) throw new CommandError(`${from} is no catalogue of llamafiles: more than ${MODELS_MAX} lines`);
  const columns = head.split("\t");
  const models = lines.map((line) => {
    const row = new Map(line.split("\t").map((cell, at) => [columns[at], cell.trim()] as const));
    const sha256 = row.get("sha256") ?? "";
    return {
      ...Object.fromEntries(["slug", "name", "file", "url", "licence"].map((column) => [column, row.get(column)])),
      size_bytes: Number(row.get("size_bytes")),
      ...(sha256 === "" ? {} : { sha256 }),
      tags: (row.get("tags") ?? "").split(",").filter((tag) => tag !== ""),
    };
  });
  return { version: 1, models };
}
