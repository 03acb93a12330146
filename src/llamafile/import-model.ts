// Takes a llamafile that somebody has into the models directory, as a link or as a copy: as the catalogue's model that it is, or as one of their own.
import { accessSync, chmodSync, constants, linkSync, realpathSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import * as v from "valibot";
import { CommandError } from "../base/errors.ts";
import { quote } from "../base/printable.ts";
import { removeQuietly } from "./atomic-file.ts";
import { Slug } from "./catalogue.ts";
import { sha256OfFile } from "./checksum.ts";
import { cannotWrite, checkRoom } from "./disk.ts";
import { executableKind, type ExecutableKind } from "./executable.ts";
import { ensureDirectory, type Home } from "./home.ts";
import { changeImports, fileTakenBy, type Model, modelPath, readLibrary, sizeHere } from "./library.ts";
import { tryLock } from "./lock.ts";
import { PartFile } from "./part-file.ts";
import { showBytes } from "../base/quantity.ts";
import { reasonOf } from "./reason.ts";

export interface ImportWish {
  readonly path: string;
  /** Null makes one of the file's name, or takes that of the catalogue's model whose file it is. */
  readonly slug: string | null;
  readonly isCopy: boolean;
  /** Ends it; nothing of it stays. */
  readonly signal: AbortSignal;
}

export interface Imported {
  readonly slug: string;
  readonly sizeBytes: number;
  readonly kind: ExecutableKind;
  readonly how: "copied" | "linked";
  /** Whose file it is: one's own, or that of a model of the catalogue, which its checksum says or its name alone. */
  readonly as: "own" | "checked" | "named";
}

/** @throws CommandError when the file is no program, or the slug is wrong or taken; the signal's reason when it was ended */
export async function importModel(home: Home, wish: ImportWish): Promise<Imported> {
  const source: Source = locate(wish.path);
  const kind = executableKind(source.path);
  if (kind === null)
    throw new CommandError(`${wish.path} is no llamafile: it does not begin as a program does. A .gguf file has the weights alone`);
  ensureDirectory(home.models);
  const models = readLibrary(home);
  refuseFileOfModels(home, source, models);
  const listed = listedModel(models, source, wish.slug);
  const as = listed === null ? "own" : await proveListed(listed, source, wish);
  const { slug, file } = listed ?? ownName(source, wish.slug);
  // Whoever downloads, removes or imports the same file has the same lock.
  using lock = tryLock(home, `download-${file}`);
  if (lock === null) throw new CommandError(`another modelrelay is busy with ${file} at this moment; try again`);
  // Once more, as another one may have been quicker.
  refuseTaken(home, { slug, file }, listed !== null);
  if (wish.isCopy) await checkRoom(home.models, source.sizeBytes);
  const target = modelPath(home, { file });
  await place(source.path, target, wish);
  if (listed === null) {
    const model = { slug, name: source.stem, file, size_bytes: source.sizeBytes, source: source.path, is_copy: wish.isCopy };
    changeImports(home, (imports) => [...imports.filter((other) => other.slug !== slug), model]);
  } else new PartFile(target).remove();
  return { slug, sizeBytes: source.sizeBytes, kind, how: wish.isCopy ? "copied" : "linked", as };
}

interface Source {
  /** Links resolved, so that a link does not lead to another that may be changed. */
  readonly path: string;
  /** Its name without what says that it is a program. */
  readonly stem: string;
  readonly sizeBytes: number;
}

function locate(path: string): Source {
  try {
    const source = realpathSync(resolve(path));
    const found = statSync(source);
    if (found.isFile()) return { path: source, stem: basename(source).replace(/(\.llamafile|\.exe)+$/i, ""), sizeBytes: found.size };
  } catch (error) {
    throw new CommandError(`${path} cannot be read (${reasonOf(error)})`);
  }
  throw new CommandError(`${path} is no file`);
}

/** What lies there already would be replaced by a link to itself. */
function refuseFileOfModels(home: Home, { path }: Source, models: readonly Model[]): void {
  if (dirname(path) !== realpathSync(home.models)) return;
  const owner = models.find((model) => sizeHere(home, model) !== null && realpathSync(modelPath(home, model)) === path);
  throw new CommandError(
    owner === undefined
      ? `${path} lies where the models of this home are kept: move it elsewhere, then import it from there`
      : `${path} is the file of ${owner.slug} already: there is nothing to import`,
  );
}

/**
 * The catalogue's model that this file is to be.
 * 1. the one that was named
 * 2. without a name, the one whose file is called so; browsers number a second download
 * 3. none
 */
function listedModel(models: readonly Model[], { stem }: Source, wanted: string | null): Model | null {
  const listed = models.filter(({ url }) => url !== null);
  if (wanted !== null) return listed.find(({ slug }) => slug === wanted) ?? null; // (1) (3)
  return listed.find(({ file }) => isNamedAs(stem, file)) ?? null; // (2) (3)
}

function isNamedAs(stem: string, file: string): boolean {
  return `${stem.replace(/ ?\(\d{1,3}\)$/, "")}.llamafile`.toLowerCase() === file.toLowerCase();
}

/** What the catalogue's sizes may be off by where it has no checksum. */
const SIZE_TOLERANCE = 0.1;

/**
 * 1. the checksum decides where there is one
 * 2. else name and size have to be as the catalogue has them
 * @throws CommandError for another file
 */
async function proveListed(model: Model, { path, stem, sizeBytes }: Source, { slug: wanted, signal }: ImportWish): Promise<Imported["as"]> {
  const elsewise = wanted === null ? "--slug takes it in under a name of its own" : "give another name with --slug";
  if (model.sha256 !== null) {
    if (sizeBytes === model.sizeBytes && (await sha256OfFile(path, sizeBytes, signal)) === model.sha256) return "checked"; // (1)
    throw new CommandError(`${path} is not the file of ${model.slug}: the catalogue has another checksum for it; ${elsewise}`); // (1)
  }
  if (!isNamedAs(stem, model.file)) {
    throw new CommandError(
      `there is a model ${model.slug} already: it is one of the catalogue, and its file is ${model.file}; ${elsewise}`,
    ); // (2)
  }
  if (Math.abs(sizeBytes - model.sizeBytes) <= model.sizeBytes * SIZE_TOLERANCE) return "named"; // (2)
  throw new CommandError(
    `${path} is called as the file of ${model.slug} and has ${showBytes(sizeBytes)} where that has ${showBytes(model.sizeBytes)}: ` +
      `it is not all of it, or another one; ${elsewise}`,
  ); // (2)
}

/** @throws CommandError when no slug can be made, or a wrong one was given */
function ownName({ stem }: Source, wanted: string | null): { readonly slug: string; readonly file: string } {
  const slug = wanted ?? slugOf(stem);
  const parsed = v.safeParse(Slug, slug);
  if (parsed.success) return { slug, file: `${slug}.llamafile` };
  const what = wanted === null ? "no slug can be made of the file's name" : quote(slug);
  throw new CommandError(`${what}: ${parsed.issues[0].message}; give one with --slug`);
}

function slugOf(stem: string): string {
  return stem
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, 64);
}

/** @throws CommandError when another model has the slug or the file, or the catalogue's model is here already */
function refuseTaken(home: Home, { slug, file }: { readonly slug: string; readonly file: string }, isListed: boolean): void {
  const models = readLibrary(home);
  const other = "give another name with --slug";
  if (isListed) {
    if (sizeHere(home, { file }) === null) return;
    throw new CommandError(`${slug} is here already: 'modelrelay llamafile rm ${slug}' first, or ${other}`);
  }
  const taken = models.find((model) => model.slug === slug);
  if (taken !== undefined) throw new CommandError(`there is a model ${slug} already: 'modelrelay llamafile rm ${slug}' first, or ${other}`);
  const owner = fileTakenBy(models, file);
  if (owner !== null) throw new CommandError(`the file of ${owner.slug} is called ${owner.file} already; ${other}`);
}

/** A hard link where a symbolic one is not allowed, as on Windows. Whole or not at all. */
async function place(source: string, target: string, { isCopy, signal }: ImportWish): Promise<void> {
  const fresh = `${target}.import`;
  try {
    rmSync(fresh, { force: true });
    if (isCopy) await copyUntil(signal, source, fresh);
    else if (process.platform === "win32") linkSync(source, fresh);
    else symlinkSync(source, fresh);
    makeRunnable(fresh, isCopy);
    renameSync(fresh, target);
  } catch (error) {
    removeQuietly(fresh);
    if (signal.aborted) throw signal.reason;
    if (isCopy) throw cannotWrite(target, error);
    throw new CommandError(`${target} cannot be made (${reasonOf(error)}); --copy copies it instead of linking to it`);
  }
}

/** The copying itself cannot be ended; whoever ends it ends the process with it. */
async function copyUntil(signal: AbortSignal, from: string, to: string): Promise<void> {
  signal.throwIfAborted();
  const ended = Promise.withResolvers<never>();
  const onAbort = (): void => ended.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([copyFile(from, to, constants.COPYFILE_FICLONE), ended.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Of a link it is somebody's own file that is made runnable; where that is not allowed, starting it says whether it has to be. */
function makeRunnable(path: string, isCopy: boolean): void {
  if (process.platform === "win32") return;
  try {
    accessSync(path, constants.X_OK);
  } catch {
    try {
      chmodSync(path, (statSync(path).mode & 0o777) | 0o100);
    } catch (error) {
      if (isCopy) throw error;
    }
  }
}
