// What is written down of a model that was started, and what can be said of it from that.
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { readJsonFile, writeAtomically } from "./atomic-file.ts";
import { Slug } from "./catalogue.ts";
import type { Home } from "./home.ts";
import { Identity, isGone } from "./identity.ts";

const End = v.object({
  /** Which of them ended. */
  who: v.picklist(["model", "worker"]),
  code: v.nullable(v.number()),
  signal: v.nullable(v.string()),
  at: v.number(),
});

const RunState = v.object({
  version: v.literal(1),
  slug: Slug,
  port: v.number(),
  /** It was asked for, so that no other one will do. */
  is_port_fixed: v.optional(v.boolean(), false),
  /** The llamafile's own arguments that were asked for, those of the settings first. */
  args: v.array(v.string()),
  gpu_layers: v.nullable(v.number()),
  context_size: v.nullable(v.number()),
  /** Where its worker connects to; null: there is none. */
  proxy_url: v.nullable(v.string()),
  /** Of its worker: the provider and the file of the CA, both null without one. */
  provider: v.nullable(v.string()),
  tls_ca: v.nullable(v.string()),
  max_concurrency: v.number(),
  started_at: v.number(),
  is_ready: v.boolean(),
  /** Watches over the other two and writes this. */
  keeper: Identity,
  model: v.nullable(Identity),
  worker: v.nullable(Identity),
  /** It was asked to stop. */
  is_stopping: v.boolean(),
  ended: v.nullable(End),
});

export type RunState = v.InferOutput<typeof RunState>;
export type RunEnd = v.InferOutput<typeof End>;

export type RunStatus =
  | { readonly kind: "stopped" }
  | { readonly kind: "starting"; readonly state: RunState }
  | { readonly kind: "running"; readonly state: RunState }
  | { readonly kind: "stopping"; readonly state: RunState }
  /** The model answers, but whoever watched over it is gone. */
  | { readonly kind: "unattended"; readonly state: RunState }
  | { readonly kind: "crashed"; readonly state: RunState; readonly end: RunEnd }
  /** Gone without a word: killed, or the machine was restarted. */
  | { readonly kind: "gone"; readonly state: RunState };

/** @throws CommandError when the file is damaged */
export function readRunState(home: Home, slug: string): RunState | null {
  return readJsonFile(statePath(home, slug), RunState);
}

export function writeRunState(home: Home, state: RunState): void {
  writeAtomically(statePath(home, state.slug), `${JSON.stringify(state, null, 2)}\n`);
}

export function removeRunState(home: Home, slug: string): void {
  rmSync(statePath(home, slug), { force: true });
}

/** Every model that something is written down of. */
export function slugsWithState(home: Home): readonly string[] {
  try {
    const names = readdirSync(home.state).flatMap((name) => (name.endsWith(".json") ? [name.slice(0, -".json".length)] : []));
    return names.filter((name) => v.is(Slug, name)).toSorted();
  } catch {
    return [];
  }
}

export function statusNow(home: Home, slug: string): RunStatus {
  const state = readRunState(home, slug);
  if (state === null) return { kind: "stopped" };
  // What cannot be told may be there.
  return statusOf(state, { keeper: !isGone(state.keeper), model: !isGone(state.model) });
}

/**
 * 1. it ended by itself, or 2. because it was asked to
 * 3. the keeper is there: it starts, runs or stops
 * 4. the model is there without its keeper
 * 5. nobody is there
 */
export function statusOf(state: RunState, alive: { readonly keeper: boolean; readonly model: boolean }): RunStatus {
  const { ended, is_stopping, is_ready } = state;
  if (ended !== null && !is_stopping) return { kind: "crashed", state, end: ended }; // (1)
  if (ended !== null) return { kind: "stopped" }; // (2)
  if (alive.keeper) return { kind: is_stopping ? "stopping" : is_ready ? "running" : "starting", state }; // (3)
  if (alive.model) return { kind: "unattended", state }; // (4)
  return is_stopping ? { kind: "stopped" } : { kind: "gone", state }; // (5)
}

/** Whether something of it is still there. */
export function isUp(status: RunStatus): status is RunStatus & { readonly kind: "starting" | "running" | "stopping" | "unattended" } {
  return status.kind === "starting" || status.kind === "running" || status.kind === "stopping" || status.kind === "unattended";
}

/** As in `crashed (exit code 3), see logs`. */
export function showEnd({ code, signal }: Pick<RunEnd, "code" | "signal">): string {
  if (signal !== null) return `ended by ${signal}`;
  return `exit code ${code ?? "unknown"}`;
}

export function modelUrl({ port }: Pick<RunState, "port">): string {
  return `http://127.0.0.1:${port}`;
}

function statePath(home: Home, slug: string): string {
  return join(home.state, `${slug}.json`);
}
