// `modelrelay llamafile recommend`: what suits this machine, or another one, and why.
import { recommend as recommendFor } from "../../../llamafile/fit.ts";
import { readLibrary } from "../../../llamafile/library.ts";
import { type Machine, readMachine, thisWorld } from "../../../llamafile/machine.ts";
import { showBytes } from "../../../base/quantity.ts";
import { type Column, outputWidth, renderTable } from "../../columns.ts";
import type { CommandBody } from "../../command.ts";
import type { OptionValues } from "../../options/option.ts";
import { RECOMMEND_OPTIONS } from "../options.ts";
import { readLine } from "../settings.ts";

const LINE = { options: RECOMMEND_OPTIONS };

export const recommend: CommandBody = {
  ...LINE,
  async run(args, world) {
    const { values, home } = readLine("recommend", LINE, args, world.env);
    const machine = asAsked(readMachine(thisWorld()), values);
    const picks = recommendFor(readLibrary(home), machine);
    if (values.json) {
      const { ramBytes, isRamLimited, cores, gpus } = machine;
      const shown = picks.map(({ model, fit, why }) => ({ slug: model.slug, size_bytes: model.sizeBytes, fit: fit.kind, why }));
      const about = {
        ram_bytes: ramBytes,
        is_ram_limited: isRamLimited,
        cores,
        gpus: gpus.map(({ name, vramBytes, isUnified }) => ({ name, vram_bytes: vramBytes, is_unified: isUnified })),
      };
      world.print(`${JSON.stringify({ machine: about, recommended: shown }, null, 2)}\n`);
      return 0;
    }
    world.print(`${describe(machine)}\n\n`);
    if (picks.length === 0) {
      world.print("No model of the catalogue fits. The smallest need about 2 GB of memory beside what the system needs.\n");
      return 0;
    }
    const rows = picks.map(({ model, why }) => [model.slug, showBytes(model.sizeBytes), model.licence, why]);
    world.print(`${renderTable(COLUMNS, rows, outputWidth()).join("\n")}\n`);
    world.print(`\nTo have one: modelrelay llamafile serve ${picks[0]!.model.slug}\n`);
    return 0;
  },
};

const COLUMNS: readonly Column[] = [
  { head: "MODEL", rank: 1 },
  { head: "SIZE", rank: 2, isNumber: true },
  { head: "LICENCE", rank: 3, maxChars: 24 },
  { head: "WHY", rank: 1 },
];

const GIB = 1024 ** 3;

function asAsked(machine: Machine, { ramGb, vramGb, cores }: OptionValues<typeof RECOMMEND_OPTIONS>): Machine {
  return {
    ...machine,
    ...(ramGb === null ? {} : { ramBytes: ramGb * GIB, isRamLimited: false }),
    ...(vramGb === null ? {} : { gpus: vramGb === 0 ? [] : [{ name: "GPU", vramBytes: vramGb * GIB, isUnified: false }] }),
    ...(cores === null ? {} : { cores }),
  };
}

function describe({ ramBytes, isRamLimited, cores, gpus }: Machine): string {
  const ram = `${showBytes(ramBytes)} of memory${isRamLimited ? " (limited by its control group)" : ""}`;
  const cards = gpus.map(({ name, vramBytes, isUnified }) => `${name} with ${showBytes(vramBytes)}${isUnified ? " of that" : ""}`);
  return `For a machine with ${ram}, ${cores} ${cores === 1 ? "core" : "cores"}, ${cards.length === 0 ? "no GPU that is known" : cards.join(", ")}:`;
}
