// `modelrelay llamafile update-catalog`: takes in what is published today, once it has proven to be a catalogue.
import { writeAtomically } from "../../../llamafile/atomic-file.ts";
import { type CatalogueDocument, checkCatalogue, parseCatalogue } from "../../../llamafile/catalogue.ts";
import { fetchText } from "../../../llamafile/fetch-document.ts";
import type { Home } from "../../../llamafile/home.ts";
import { refreshFromHub } from "../../../llamafile/hub.ts";
import { fileTakenBy, readCatalogue, sizeHere } from "../../../llamafile/library.ts";
import { lockBriefly } from "../../../llamafile/lock.ts";
import type { CommandBody, CommandWorld } from "../../command.ts";
import { UPDATE_OPTIONS } from "../options.ts";
import { readLine } from "../settings.ts";

const LINE = { options: UPDATE_OPTIONS };

export const updateCatalog: CommandBody = {
  ...LINE,
  async run(args, world) {
    const { values, home } = readLine("update-catalog", LINE, args, world.env);
    const limits = { timeoutMs: values.timeoutMs, signal: new AbortController().signal };
    const known = readCatalogue(home);
    if (values.url !== null) {
      const { text } = await fetchText(values.url, limits);
      const document = { ...parseCatalogue(text, values.url.href), source: values.url.href, updated_at: world.clock.unixMs() };
      const whole = checkCatalogue(keepDownloaded(home, known, document, world), `${values.url.href}, with what is downloaded,`);
      store(home, whole);
      world.print(`the catalogue has ${whole.models.length} models now\n`);
      return 0;
    }
    const { document, added, changed, unasked } = await refreshFromHub(values.hub, known, limits, world.clock.unixMs());
    store(home, document);
    for (const repository of unasked) world.tell(`${repository} gave no list; its models stay as they were\n`);
    if (added.length > 0) world.print(`new: ${added.join(", ")}\n`);
    world.print(`the catalogue has ${document.models.length} models now: ${added.length} new, ${changed.length} put right\n`);
    return 0;
  },
};

/** What is on this machine's disk stays known. */
function keepDownloaded(home: Home, known: CatalogueDocument, fresh: CatalogueDocument, { tell }: CommandWorld): CatalogueDocument {
  const isIn = (entry: { readonly slug: string; readonly file: string }): boolean =>
    fresh.models.some(({ slug }) => slug === entry.slug) || fileTakenBy(fresh.models, entry.file) !== null;
  const kept = known.models.filter((entry) => !isIn(entry) && sizeHere(home, entry) !== null);
  if (kept.length > 0) tell(`kept, as they are downloaded: ${kept.map(({ slug }) => slug).join(", ")}\n`);
  return { ...fresh, models: [...fresh.models, ...kept] };
}

function store(home: Home, document: CatalogueDocument): void {
  using _ = lockBriefly(home, "catalogue.json");
  writeAtomically(home.catalogue, `${JSON.stringify(document, null, 2)}\n`);
}
