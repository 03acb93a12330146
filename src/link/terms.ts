// What a worker key allows of what its worker claims.
import { type CleanClaims, ANY_MODEL, cleanClaims } from "../protocol/registration.ts";
import type { ApiKey } from "../store/api-key.ts";
import { allowsModel } from "../store/glob.ts";

export interface GrantedModels {
  readonly models: readonly string[];
  readonly warnings: readonly string[];
}

/** Drops what the key does not allow. "*" needs a key without a list of models: it would reach around any list. */
export function grantModels(claimed: readonly string[], unlisted: readonly string[], key: ApiKey | null): GrantedModels {
  if (key === null || key.models === null) return { models: claimed, warnings: [] };
  const models = claimed.filter((model) => model !== ANY_MODEL && allowsModel(key.models, model));
  // A catch-all nobody is shown is not worth a warning either.
  const dropped = claimed.filter((model) => !models.includes(model) && !unlisted.includes(model)).length;
  return { models, warnings: dropped === 0 ? [] : [`dropped ${dropped} model name(s) that the worker's key does not allow`] };
}

/** The cleaned claims of a registration, cut down to the key's models and slots and under the key's name. */
export function grantClaims(claimed: Parameters<typeof cleanClaims>[0], unlisted: readonly string[], key: ApiKey | null): CleanClaims {
  const clean = cleanClaims(claimed);
  const { models, warnings } = grantModels(clean.models, unlisted, key);
  const slots = Math.min(clean.slots, key?.maxSlots ?? Infinity);
  const isCut = slots < clean.slots;
  const cut = isCut ? [`max_concurrent was lowered to ${slots}, the most the worker's key allows`] : [];
  return { name: key?.workerName ?? clean.name, models, slots, warnings: [...clean.warnings, ...warnings, ...cut] };
}
