// The models clients may be shown: the union of what connected workers list.
import { ANY_MODEL } from "../protocol/registration.ts";
import type { WorkerId } from "../scheduler/events.ts";

interface Claims {
  readonly models: readonly string[];
  readonly unlisted: readonly string[];
}

interface Listing {
  readonly listed: readonly string[];
  readonly servesAny: boolean;
}

export class Catalogue {
  readonly #listings = new Map<WorkerId, Listing>();
  readonly #firstSeenUnixSecs = new Map<string, number>();

  set(worker: WorkerId, { models, unlisted }: Claims): void {
    const hidden = new Set([ANY_MODEL, ...unlisted]);
    this.#listings.set(worker, { listed: models.filter((model) => !hidden.has(model)), servesAny: models.includes(ANY_MODEL) });
  }

  delete(worker: WorkerId): void {
    this.#listings.delete(worker);
  }

  /** Listed models in alphabetical order; "*" and unlisted names never appear. */
  models(): readonly string[] {
    const names = new Set<string>();
    for (const { listed } of this.#listings.values()) for (const model of listed) names.add(model);
    return [...names].sort();
  }

  /** The one model on offer, for requests that name none; null when there are several, none, or a worker that serves any. */
  onlyModel(): string | null {
    const names = this.models();
    const servesAny = [...this.#listings.values()].some((listing) => listing.servesAny);
    return names.length === 1 && !servesAny ? names[0]! : null;
  }

  /** When this relay first saw the model, in Unix seconds: the `created` of the OpenAI list. */
  firstSeen(model: string, nowUnixMs: number): number {
    const known = this.#firstSeenUnixSecs.get(model);
    if (known !== undefined) return known;
    if (this.#firstSeenUnixSecs.size >= FIRST_SEEN_MAX) this.#firstSeenUnixSecs.clear();
    const secs = Math.floor(nowUnixMs / 1000);
    this.#firstSeenUnixSecs.set(model, secs);
    return secs;
  }
}

/** Names come from workers, so their number must have a limit. */
const FIRST_SEEN_MAX = 10_000;
