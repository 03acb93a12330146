// GET /v1/models and /v1/models/{id}: what connected workers offer, from memory, in the shape the client's API family has.
import type { Clock } from "../base/clock.ts";
import { RelayError } from "../base/errors.ts";
import { nearestNames } from "../base/nearest.ts";
import type { Admission, Caller } from "./admission.ts";
import type { Hub } from "../hub/hub.ts";

export interface ModelsWorld {
  readonly hub: Hub;
  readonly clock: Clock;
  readonly admission: Admission;
}

/** `isAnthropic`: the client sent `anthropic-version`. The list is whole: `limit` and the page cursors have nothing to page. */
export function listModels(world: ModelsWorld, caller: Caller, isAnthropic: boolean): Response {
  const models = modelsFor(world, caller);
  if (!isAnthropic) return Response.json({ object: "list", data: models.map((model) => openaiModel(world, model)) });
  const data = models.map((model) => anthropicModel(world, model));
  return Response.json({ data, has_more: false, first_id: models[0] ?? null, last_id: models.at(-1) ?? null });
}

/** @throws RelayError model_not_found with the nearest names */
export function getModel(world: ModelsWorld, caller: Caller, model: string, isAnthropic: boolean): Response {
  const models = modelsFor(world, caller);
  if (!models.includes(model)) {
    const nearest = nearestNames(model, models);
    throw new RelayError("model_not_found", nearest.length === 0 ? null : `Nearest on offer: ${nearest.join(", ")}.`);
  }
  return Response.json(isAnthropic ? anthropicModel(world, model) : openaiModel(world, model));
}

/** What the caller's key may not use is not there for it. */
function modelsFor({ hub, admission }: ModelsWorld, caller: Caller): readonly string[] {
  return hub.fleet.catalogue.models().filter((model) => admission.mayUse(caller, model));
}

function openaiModel({ hub, clock }: ModelsWorld, model: string): object {
  return { id: model, object: "model", created: hub.fleet.catalogue.firstSeen(model, clock.unixMs()), owned_by: "modelrelay" };
}

function anthropicModel({ hub, clock }: ModelsWorld, model: string): object {
  const created_at = new Date(hub.fleet.catalogue.firstSeen(model, clock.unixMs()) * 1000).toISOString();
  return { type: "model", id: model, display_name: model, created_at };
}
