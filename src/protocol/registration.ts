// What a relay makes of the models and slots a worker claims: cleaned up, capped, with a warning for each thing changed.
import { MODEL_NAME_MAX_CHARS, MODELS_MAX, SLOTS_MAX, WORKER_NAME_MAX_CHARS } from "./limits.ts";

/** Serves any model; never listed. */
export const ANY_MODEL = "*";

export interface CleanModels {
  readonly models: readonly string[];
  readonly warnings: readonly string[];
}

/** Trims, drops empty and repeated names (first seen stays), caps length and number. */
export function cleanModels(claimed: readonly string[]): CleanModels {
  const warnings: string[] = [];
  const kept = new Set<string>();
  let empty = 0;
  let repeated = 0;
  let long = 0;
  let over = 0;
  for (const claim of claimed) {
    const name = claim.trim();
    if (name === "") empty++;
    else if (name.length > MODEL_NAME_MAX_CHARS) long++;
    else if (kept.has(name)) repeated++;
    else if (kept.size >= MODELS_MAX) over++;
    else kept.add(name);
  }
  if (empty > 0) warnings.push(`dropped ${empty} empty model name(s)`);
  if (repeated > 0) warnings.push(`dropped ${repeated} repeated model name(s)`);
  if (long > 0) warnings.push(`dropped ${long} model name(s) longer than ${MODEL_NAME_MAX_CHARS} characters`);
  if (over > 0) warnings.push(`kept the first ${MODELS_MAX} models and dropped ${over}`);
  if (kept.size === 0) warnings.push("no routable model is left: this worker gets no requests");
  return { models: [...kept], warnings };
}

export interface CleanClaims extends CleanModels {
  readonly name: string;
  readonly slots: number;
}

/** The whole of a registration; see cleanModels. `max_concurrent` 0 becomes 1. */
export function cleanClaims(claimed: { readonly name: string; readonly models: readonly string[]; readonly slots: number }): CleanClaims {
  const { models, warnings } = cleanModels(claimed.models);
  const all = [...warnings];
  let name = claimed.name.trim();
  if (name === "") {
    name = "worker";
    all.push('the worker name is empty: it is shown as "worker"');
  } else if (name.length > WORKER_NAME_MAX_CHARS) {
    name = name.slice(0, WORKER_NAME_MAX_CHARS);
    all.push(`the worker name was cut to ${WORKER_NAME_MAX_CHARS} characters`);
  }
  const slots = Math.min(SLOTS_MAX, Math.max(1, claimed.slots));
  if (claimed.slots < 1) all.push("max_concurrent 0 was raised to 1");
  if (claimed.slots > SLOTS_MAX) all.push(`max_concurrent was lowered to ${SLOTS_MAX}`);
  return { name, models, slots, warnings: all };
}
