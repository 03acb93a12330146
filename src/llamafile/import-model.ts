// Takes a llamafile of one's own into the models directory: as a link, or as a copy.
import { chmodSync, constants, copyFileSync, linkSync, realpathSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import { basename, resolve } from "node:path";
import * as v from "valibot";
import { CommandError } from "../base/errors.ts";
import { quote } from "../base/printable.ts";
import { removeQuietly } from "./atomic-file.ts";
import { Slug } from "./catalogue.ts";
import { cannotWrite, checkRoom } from "./disk.ts";
import { executableKind, type ExecutableKind } from "./executable.ts";
import { ensureDirectory, type Home } from "./home.ts";
import { changeImports, type ImportedModel, modelPath, readLibrary } from "./library.ts";
import { reasonOf } from "./reason.ts";

export interface ImportWish {
  readonly path: string;
  /** Null makes one of the file's name. */
  readonly slug: string | null;
  readonly isCopy: boolean;
}

export interface Imported {
  readonly model: ImportedModel;
  readonly kind: ExecutableKind;
  readonly how: "copied" | "linked";
}

/** @throws CommandError when the file is no program, or the slug is wrong or taken */
export async function importModel(home: Home, { path, slug: wanted, isCopy }: ImportWish): Promise<Imported> {
  const source = locate(path);
  const size = statSync(source).size;
  const kind = executableKind(source);
  if (kind === null)
    throw new CommandError(`${path} is no llamafile: it does not begin as a program does. A .gguf file has the weights alone`);
  const slug = checkSlug(home, wanted ?? slugOf(source), wanted === null);
  ensureDirectory(home.models);
  const model: ImportedModel = {
    slug,
    name: basename(source).replace(/\.(llamafile|exe)+$/i, ""),
    file: `${slug}.llamafile`,
    size_bytes: size,
    source,
    is_copy: isCopy,
  };
  if (isCopy) await checkRoom(home.models, size);
  place(source, modelPath(home, model), isCopy);
  changeImports(home, (models) => [...models.filter((other) => other.slug !== slug), model]);
  return { model, kind, how: isCopy ? "copied" : "linked" };
}

/** Links resolved, so that a link does not lead to another that may be changed. */
function locate(path: string): string {
  try {
    const source = realpathSync(resolve(path));
    if (statSync(source).isFile()) return source;
  } catch (error) {
    throw new CommandError(`${path} cannot be read (${reasonOf(error)})`);
  }
  throw new CommandError(`${path} is no file`);
}

function slugOf(path: string): string {
  const stem = basename(path).replace(/(\.llamafile|\.exe)+$/i, "");
  return stem
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, 64);
}

function checkSlug(home: Home, slug: string, isMade: boolean): string {
  const parsed = v.safeParse(Slug, slug);
  if (!parsed.success)
    throw new CommandError(
      `${isMade ? "no slug can be made of the file's name" : quote(slug)}: ${parsed.issues[0].message}; give one with --slug`,
    );
  const taken = readLibrary(home).find((model) => model.slug === slug);
  if (taken === undefined) return slug;
  const what = taken.url === null ? `'modelrelay llamafile rm ${slug}' first, or` : "it is one of the catalogue;";
  throw new CommandError(`there is a model ${slug} already: ${what} give another name with --slug`);
}

/** A hard link where a symbolic one is not allowed, as on Windows. Whole or not at all. */
function place(source: string, target: string, isCopy: boolean): void {
  const fresh = `${target}.part`;
  try {
    rmSync(fresh, { force: true });
    if (isCopy) copyFileSync(source, fresh, constants.COPYFILE_FICLONE);
    else if (process.platform === "win32") linkSync(source, fresh);
    else symlinkSync(source, fresh);
    renameSync(fresh, target);
    // Of a link it is the file itself that is made runnable; without the right to, starting it will say so.
    if (process.platform !== "win32") chmodSync(target, (statSync(target).mode & 0o777) | 0o100);
  } catch (error) {
    removeQuietly(fresh);
    if (isCopy) throw cannotWrite(target, error);
    throw new CommandError(`${target} cannot be made (${reasonOf(error)}); --copy copies it instead of linking to it`);
  }
}
