// Asks Hugging Face which llamafiles Mozilla publishes today, with their exact sizes and checksums.
import * as v from "valibot";
import { CommandError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";
import { type CatalogueDocument, type CatalogueEntry, checkCatalogue, MODELS_MAX, TEXT_MAX_CHARS } from "./catalogue.ts";
import { fetchJson, type FetchLimits } from "./fetch-document.ts";

export interface Refreshed {
  readonly document: CatalogueDocument;
  readonly added: readonly string[];
  readonly changed: readonly string[];
  /** Repositories that gave no list; their models stay as they were. */
  readonly unasked: readonly string[];
}

/**
 * Everything of `known` stays; what the hub lists is put right or added.
 * @throws CommandError when the hub cannot be asked at all, or knows no llamafile
 */
export async function refreshFromHub(hub: URL, known: CatalogueDocument, limits: FetchLimits, nowMs: number): Promise<Refreshed> {
  const repositories = await findRepositories(hub, known, limits);
  // A file of other capitals is the same one, as it would be on macOS and Windows.
  const byFile = new Map(known.models.map((entry) => [entry.file.toLowerCase(), entry]));
  const unasked: string[] = [];
  let firstFailure: unknown = null;
  let found = 0;
  for (const repository of repositories) {
    try {
      const files = await listLlamafiles(hub, repository, limits);
      if (byFile.size + files.length > FILES_MAX) throw new TooMany(`${hub.host} lists more than ${MODELS_MAX} llamafiles: no catalogue`);
      for (const file of files) {
        const key = file.name.toLowerCase();
        byFile.set(key, merge(byFile.get(key), file, hub, repository, [...byFile.values()]));
      }
      found += files.length;
    } catch (error) {
      if (error instanceof TooMany) throw error;
      firstFailure ??= error;
      unasked.push(repository.id);
    }
  }
  if (found === 0) throw firstFailure ?? new CommandError(`${hub.host} lists no llamafiles; the catalogue stays as it is`);
  const models = [...byFile.values()];
  const document = checkCatalogue({ version: 1, source: hub.href, updated_at: nowMs, models }, hub.host);
  const before = new Map(known.models.map((entry) => [entry.file, JSON.stringify(entry)]));
  const added = models.filter(({ file }) => !before.has(file)).map(({ slug }) => slug);
  const changed = models
    .filter((entry) => before.has(entry.file) && before.get(entry.file) !== JSON.stringify(entry))
    .map(({ slug }) => slug);
  return { document, added, changed, unasked };
}

// Mozilla's two names there.
const AUTHORS = ["mozilla-ai", "Mozilla"];
const PAGES_MAX = 10;
const REPOSITORIES_MAX = 200;
// What is known already may be among them.
const FILES_MAX = 2 * MODELS_MAX;

class TooMany extends CommandError {}

const RepositoryId = v.pipe(v.string(), v.regex(/^[\w.-]{1,96}\/[\w.-]{1,96}$/));
const Repositories = v.array(v.looseObject({ id: RepositoryId, tags: v.optional(v.array(v.string())) }));
const Tree = v.array(
  v.looseObject({
    type: v.string(),
    path: v.string(),
    size: v.optional(v.number()),
    lfs: v.optional(v.looseObject({ oid: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)), size: v.number() })),
  }),
);

interface Repository {
  readonly id: string;
  readonly tags: readonly string[];
}

interface HubFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string | null;
}

/** Those that a search for Mozilla's llamafiles gives, and those the catalogue's addresses are of. */
async function findRepositories(hub: URL, known: CatalogueDocument, limits: FetchLimits): Promise<readonly Repository[]> {
  const found = new Map<string, Repository>();
  for (const author of AUTHORS) {
    const url = new URL(`api/models?author=${author}&search=llamafile&limit=100`, withSlash(hub));
    for (const { id, tags } of await readPages(url, Repositories, limits)) found.set(id, { id, tags: tags ?? [] });
  }
  for (const { url } of known.models) {
    const id = /^https?:\/\/[^/]+\/([\w.-]+\/[\w.-]+)\/resolve\//.exec(url)?.[1];
    if (id !== undefined && !found.has(id)) found.set(id, { id, tags: [] });
  }
  return [...found.values()].slice(0, REPOSITORIES_MAX);
}

async function listLlamafiles(hub: URL, { id }: Repository, limits: FetchLimits): Promise<readonly HubFile[]> {
  const tree = await readPages(new URL(`api/models/${id}/tree/main`, withSlash(hub)), Tree, limits);
  return tree.flatMap(({ type, path, size, lfs }) => {
    if (type !== "file" || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,150}\.llamafile$/.test(path)) return [];
    const sizeBytes = lfs?.size ?? size ?? 0;
    return Number.isSafeInteger(sizeBytes) && sizeBytes > 0 ? [{ name: path, sizeBytes, sha256: lfs?.oid ?? null }] : [];
  });
}

/** The hub names the next page in a `Link` header. */
async function readPages<T>(first: URL, schema: v.GenericSchema<unknown, T[]>, limits: FetchLimits): Promise<readonly T[]> {
  const items: T[] = [];
  let url: URL | null = first;
  for (let page = 0; url !== null && page < PAGES_MAX; page++) {
    const { body, link } = await fetchJson(url, limits);
    const parsed = v.safeParse(schema, body);
    if (!parsed.success) throw new CommandError(`${url.host} answered as Hugging Face does not: ${printable(parsed.issues[0].message)}`);
    items.push(...parsed.output);
    const next = /<([^>]+)>;\s*rel="next"/.exec(link)?.[1];
    const to: URL | null = next === undefined ? null : URL.parse(next, url.href);
    url = to?.origin === url.origin ? to : null;
  }
  return items;
}

function merge(
  known: CatalogueEntry | undefined,
  file: HubFile,
  hub: URL,
  repository: Repository,
  others: readonly CatalogueEntry[],
): CatalogueEntry {
  const address = new URL(`${repository.id}/resolve/main/${file.name}`, withSlash(hub)).href;
  const facts = { size_bytes: file.sizeBytes, url: address, ...(file.sha256 === null ? {} : { sha256: file.sha256 }) };
  if (known !== undefined) return { ...known, ...facts };
  const stem = file.name.replace(/\.llamafile$/, "");
  return {
    slug: freeSlug(stem, others),
    name: stem.replaceAll(/[-_]+/g, " "),
    file: file.name,
    ...facts,
    licence: licenceOf(repository) || "see its page",
    tags: tagsOf(stem),
  };
}

function licenceOf({ tags }: Repository): string {
  const tag = tags.find((each) => each.startsWith("license:")) ?? "";
  return tag.slice("license:".length).slice(0, TEXT_MAX_CHARS);
}

function freeSlug(stem: string, others: readonly CatalogueEntry[]): string {
  const base = stem.toLowerCase().slice(0, 60);
  const taken = new Set(others.map(({ slug }) => slug));
  if (!taken.has(base) && base !== "all") return base;
  let number = 2;
  while (taken.has(`${base}-${number}`)) number++;
  return `${base}-${number}`;
}

/** From the name alone: the hub does not say what a model is for in words that could be relied upon. */
function tagsOf(stem: string): string[] {
  if (/embed|e5-|bge|minilm|gte-/i.test(stem)) return ["embedding"];
  if (/whisper/i.test(stem)) return ["speech"];
  if (/llava|vision|-vl-/i.test(stem)) return ["vision"];
  if (/deepseek-r1|reason|think/i.test(stem)) return ["reasoning"];
  return /code/i.test(stem) ? ["chat", "code"] : ["chat"];
}

function withSlash(url: URL): URL {
  return new URL(url.href.endsWith("/") ? url.href : `${url.href}/`);
}
