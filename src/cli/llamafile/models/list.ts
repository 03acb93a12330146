// `modelrelay llamafile list`: the models of the catalogue and one's own.
import { UsageError } from "../../../base/errors.ts";
import { printable, quote } from "../../../base/printable.ts";
import { fitOf, showFit } from "../../../llamafile/fit.ts";
import { IMPORTED_TAG, type Model, readLibrary, sizeHere } from "../../../llamafile/library.ts";
import { readMachine, thisWorld } from "../../../llamafile/machine.ts";
import { showBytes } from "../../../base/quantity.ts";
import { statusNow } from "../../../llamafile/run-state.ts";
import { type Column, outputWidth, renderTable } from "../../columns.ts";
import type { CommandBody } from "../../command.ts";
import { didYouMean } from "../../options/suggest.ts";
import { LIST_OPTIONS } from "../options.ts";
import { readLine } from "../settings.ts";
import { showPlace, showStatus } from "../running/state-text.ts";

const LINE = {
  options: LIST_OPTIONS,
  words: [{ name: "FILTER", help: "Only models with this in their slug, name or file.", isNeeded: false, isMany: false }],
};

export const list: CommandBody = {
  ...LINE,
  async run(args, world) {
    const { values, words, home } = readLine("list", LINE, args, world.env);
    const library = readLibrary(home);
    if (values.tag !== null) checkTag(values.tag, library);
    const models = library.filter((model) => isWanted(model, words[0] ?? "", values.tag));
    const machine = readMachine(thisWorld());
    const sizeOf = (model: Model) => sizeHere(home, model) ?? model.sizeBytes;
    const rows = models
      .map((model) => ({ model, fit: fitOf(model, machine), status: statusNow(home, model.slug) }))
      .toSorted((a, b) => Number(a.fit.kind === "no") - Number(b.fit.kind === "no") || sizeOf(a.model) - sizeOf(b.model));
    if (values.json) {
      const shown = rows.map(({ model, fit, status }) => ({
        slug: model.slug,
        name: model.name,
        size_bytes: sizeOf(model),
        licence: model.licence,
        tags: model.tags,
        file: model.file,
        url: model.url,
        sha256: model.sha256,
        is_downloaded: sizeHere(home, model) !== null,
        status: showStatus(status),
        fits: fit.kind !== "no",
        fit: fit.kind,
      }));
      world.print(`${JSON.stringify({ models: shown }, null, 2)}\n`);
      return 0;
    }
    const cells = rows.map(({ model, fit, status }) => [
      model.slug,
      printable(model.name),
      showBytes(sizeOf(model)),
      printable(model.licence),
      model.tags.join(","),
      showFit(fit),
      showPlace(home, model, status),
    ]);
    if (cells.length > 0) world.print(`${renderTable(COLUMNS, cells, outputWidth()).join("\n")}\n`);
    else world.tell("No model is so; 'modelrelay llamafile list' without filter and --tag shows all.\n");
    return 0;
  },
};

const COLUMNS: readonly Column[] = [
  { head: "MODEL", rank: 1 },
  { head: "NAME", rank: 4, maxChars: 40 },
  { head: "SIZE", rank: 2, isNumber: true },
  { head: "LICENCE", rank: 5, maxChars: 24 },
  { head: "TAGS", rank: 6 },
  { head: "FITS", rank: 3 },
  { head: "STATE", rank: 1 },
];

/** @throws UsageError with the nearest tag when no model could ever have this one */
function checkTag(tag: string, models: readonly Model[]): void {
  const known = [...new Set([...models.flatMap(({ tags }) => tags), IMPORTED_TAG])].toSorted();
  if (known.includes(tag.toLowerCase())) return;
  throw new UsageError(`--tag: no model has the tag ${quote(tag)}${didYouMean(tag, known)} The tags are ${known.join(", ")}`);
}

function isWanted({ slug, name, file, tags }: Model, filter: string, tag: string | null): boolean {
  const text = `${slug}\n${name}\n${file}`.toLowerCase();
  return text.includes(filter.toLowerCase()) && (tag === null || tags.includes(tag.toLowerCase()));
}
