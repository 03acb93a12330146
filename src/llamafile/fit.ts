// Whether a model fits a machine, and which ones to recommend for it.
import { unreachable } from "../base/assert.ts";
import { WINDOWS_EXECUTABLE_MAX_BYTES } from "./executable.ts";
import type { Model } from "./library.ts";
import { type Machine, vramOf } from "./machine.ts";
import { showBytes } from "../base/quantity.ts";

/** Where a model would run; `no` has the reason. */
export type Fit =
  | { readonly kind: "gpu" }
  | { readonly kind: "split" }
  | { readonly kind: "cpu" }
  | { readonly kind: "slow" }
  | { readonly kind: "no"; readonly reason: string };

/**
 * 1. Windows runs no executable above 4 GiB
 * 2. all of it in graphics memory
 * 3. partly there, the rest in memory
 * 4. in memory, and small enough to answer at reading speed
 * 5. in memory, but slowly
 * 6. not at all
 */
export function fitOf({ sizeBytes }: Pick<Model, "sizeBytes">, machine: Machine): Fit {
  if (machine.platform === "win32" && sizeBytes >= WINDOWS_EXECUTABLE_MAX_BYTES) {
    return { kind: "no", reason: "Windows runs no executable of 4 GB or more" }; // (1)
  }
  const needed = neededBytes(sizeBytes);
  const vram = vramOf(machine);
  const ram = Math.max(0, machine.ramBytes - SYSTEM_BYTES);
  if (needed <= vram) return { kind: "gpu" }; // (2)
  const apart = machine.gpus.some(({ isUnified }) => isUnified) ? 0 : vram;
  if (apart >= needed * SPLIT_SHARE_MIN && needed <= apart + ram) return { kind: "split" }; // (3)
  if (needed <= ram) return sizeBytes <= quickBytes(machine) ? { kind: "cpu" } : { kind: "slow" }; // (4) (5)
  return { kind: "no", reason: `needs about ${showBytes(needed)} of memory` }; // (6)
}

/** Every word of an answer reads the whole model from memory once: up to here about as fast as one reads it. */
function quickBytes({ cores }: Machine): number {
  return Math.min(cores * QUICK_PER_CORE_BYTES, QUICK_ON_CPU_BYTES);
}

/** With room for the conversation and the runtime. */
function neededBytes(sizeBytes: number): number {
  return Math.round(sizeBytes * 1.1) + GIB;
}

export function showFit(fit: Fit): string {
  switch (fit.kind) {
    case "gpu":
      return "yes, GPU";
    case "split":
      return "yes, part GPU";
    case "cpu":
      return "yes";
    case "slow":
      return "yes, slow";
    case "no":
      return "no";
  }
  return unreachable(fit);
}

export interface Recommendation {
  readonly model: Model;
  readonly fit: Fit;
  readonly why: string;
}

/** At most one model a purpose, best first; slow ones only where nothing else fits, and none where nothing does. */
export function recommend(models: readonly Model[], machine: Machine): readonly Recommendation[] {
  const all = models
    .map((model) => ({ model, fit: fitOf(model, machine) }))
    .filter(({ fit }) => fit.kind !== "no")
    .toSorted((a, b) => b.model.sizeBytes - a.model.sizeBytes);
  const quick = all.filter(({ fit }) => fit.kind !== "slow");
  const fitting = quick.length > 0 ? quick : all;
  const onGpu = fitting.filter(({ fit }) => fit.kind === "gpu");
  const pool = onGpu.length > 0 ? onGpu : fitting;
  const best = (tag: string, from = pool) => from.find(({ model }) => model.tags.includes(tag));
  const chats = pool.filter(({ model }) => model.tags.includes("chat"));
  const picks = [
    [chats[0], "the largest for chat"],
    [chats.findLast(({ model }) => model.sizeBytes < (chats[0]?.model.sizeBytes ?? 0) / 2), "the quickest for chat"],
    [best("reasoning"), "thinks before it answers"],
    [best("vision"), "looks at pictures too"],
    [best("embedding", fitting), "makes embeddings"],
  ] as const;
  return picks.flatMap(([pick, what]) => (pick === undefined ? [] : [{ ...pick, why: `${what}; ${placeOf(pick.fit, machine)}` }]));
}

function placeOf({ kind }: Fit, { cores }: Machine): string {
  // Said of the size alone: how quick a processor is nobody knows before it was tried.
  if (kind === "cpu") return `fits into memory, small enough for ${cores} ${cores === 1 ? "core" : "cores"} without a GPU`;
  return PLACES[kind];
}

const GIB = 1024 ** 3;
// What the system and its other programs need.
const SYSTEM_BYTES = 2 * GIB;
// With less than this in graphics memory it is hardly quicker than without.
const SPLIT_SHARE_MIN = 0.25;
// A core works through about 6 GB/s, and one reads about five words a second.
const QUICK_PER_CORE_BYTES = 1.2 * GIB;
// Usual memory yields no more than this, however many cores ask.
const QUICK_ON_CPU_BYTES = 6 * GIB;

const PLACES = {
  gpu: "fits into graphics memory",
  split: "fits into graphics memory and memory together",
  slow: "fits into memory, but is slow without a GPU",
  no: "does not fit",
} as const;
