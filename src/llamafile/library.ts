// The models this machine knows: those of the catalogue and those that were imported, and which of them are here.
import { statSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { printable, quote } from "../base/printable.ts";
import { nearestNames } from "../base/nearest.ts";
import { readJsonFile, writeAtomically } from "./atomic-file.ts";
import { builtInCatalogue, Catalogue, type CatalogueDocument, Sha256, Slug } from "./catalogue.ts";
import type { Home } from "./home.ts";
import { lockBriefly } from "./lock.ts";
import { CommandError } from "../base/errors.ts";

export interface Model {
  readonly slug: string;
  readonly name: string;
  /** In the models directory. */
  readonly file: string;
  /** Null for an imported one. */
  readonly url: string | null;
  /** Exact when there is a checksum, about right otherwise. */
  readonly sizeBytes: number;
  readonly sha256: string | null;
  readonly licence: string;
  readonly tags: readonly string[];
}

const Imports = v.object({
  version: v.literal(1),
  models: v.array(
    v.object({
      slug: Slug,
      name: v.string(),
      file: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9._-]*\.llamafile$/)),
      size_bytes: v.number(),
      sha256: v.optional(Sha256),
      /** Where it was imported from, for people. */
      source: v.string(),
      is_copy: v.boolean(),
    }),
  ),
});

export type ImportedModel = v.InferOutput<typeof Imports>["models"][number];

/** What an imported model has in place of a catalogue's tags. */
export const IMPORTED_TAG = "imported";

/** Imported ones first; they win over a catalogue's model of the same slug or file. @throws CommandError when a file is damaged */
export function readLibrary(home: Home): readonly Model[] {
  const imported = readImports(home);
  const taken = new Set(imported.map(({ slug }) => slug));
  const catalogue = readCatalogue(home).models.filter(({ slug, file }) => !taken.has(slug) && fileTakenBy(imported, file) === null);
  return [
    ...imported.map(({ size_bytes, sha256, ...rest }) => ({
      ...rest,
      url: null,
      sizeBytes: size_bytes,
      sha256: sha256 ?? null,
      licence: "your own",
      tags: [IMPORTED_TAG],
    })),
    ...catalogue.map(({ size_bytes, sha256, ...rest }) => ({ ...rest, sizeBytes: size_bytes, sha256: sha256 ?? null })),
  ];
}

export function readCatalogue(home: Home): CatalogueDocument {
  return readJsonFile(home.catalogue, Catalogue) ?? builtInCatalogue();
}

/** The one that has this file already; on macOS and Windows names are the same but for their capitals. */
export function fileTakenBy<T extends Pick<Model, "file">>(models: readonly T[], file: string): T | null {
  return models.find((model) => model.file.toLowerCase() === file.toLowerCase()) ?? null;
}

/** The model of this slug, or the only one whose slug begins so. @throws CommandError with the nearest slugs */
export function findModel(models: readonly Model[], wanted: string): Model {
  const word = wanted.toLowerCase();
  const exact = models.find(({ slug }) => slug === word);
  if (exact !== undefined) return exact;
  const beginning = word === "" ? [] : models.filter(({ slug }) => slug.startsWith(word));
  if (beginning.length === 1) return beginning[0]!;
  if (beginning.length > 1) {
    throw new CommandError(`${quote(wanted)} may be ${listed(beginning.map(({ slug }) => slug))}; write more of the name`);
  }
  const nearest = nearestNames(
    word,
    models.map(({ slug }) => slug),
  );
  const advice = nearest.length === 0 ? "" : `; did you mean ${listed(nearest)}?`;
  throw new CommandError(`there is no model ${quote(wanted)}${advice === "" ? ";" : advice} 'modelrelay llamafile list' shows all`);
}

/** Where the model's file is or will be. Windows runs only what is called .exe. */
export function modelPath(home: Home, { file }: Pick<Model, "file">, platform: NodeJS.Platform = process.platform): string {
  return join(home.models, platform === "win32" ? `${file}.exe` : file);
}

/** Its size in bytes; null when it is not here, or a link that leads nowhere. */
export function sizeHere(home: Home, model: Pick<Model, "file">): number | null {
  const found = statSync(modelPath(home, model), { throwIfNoEntry: false });
  return found?.isFile() === true ? found.size : null;
}

export function readImports(home: Home): readonly ImportedModel[] {
  return readJsonFile(home.imports, Imports)?.models ?? [];
}

/** Reads, changes and writes the list of imports, while nobody else does. */
export function changeImports(home: Home, change: (models: readonly ImportedModel[]) => readonly ImportedModel[]): void {
  using _ = lockBriefly(home, "imports.json");
  const models = change(readImports(home));
  writeAtomically(home.imports, `${JSON.stringify({ version: 1, models }, null, 2)}\n`);
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 6).map(printable);
  return names.length > shown.length ? `${shown.join(", ")}, ...` : shown.join(shown.length === 2 ? " or " : ", ");
}
