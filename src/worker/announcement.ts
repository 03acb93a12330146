// Which models a worker offers, made from what it was told and what its backend lists. Pure.
import { MODEL_NAME_MAX_CHARS, MODELS_MAX } from "../protocol/limits.ts";
import { ANY_MODEL, cleanModels } from "../protocol/registration.ts";

/** Routed to a worker that was not told its models, for clients that name none in particular. */
const DEFAULT_MODEL = "default";
/** Leaves room in a `register` frame (REGISTER_MAX_BYTES) for everything else. */
const NAMES_MAX_BYTES = 96 * 1024;

export interface Announcement {
  readonly models: readonly string[];
  /** Those of `models` that are routable but not listed to clients. */
  readonly unlisted: readonly string[];
}

export const NOTHING: Announcement = { models: [], unlisted: [] };

/** Whether these settings leave it to the backend which models there are. */
export function isDiscovered(configured: readonly string[] | null): boolean {
  return configured === null || configured.includes(ANY_MODEL);
}

/**
 * `listed` is what the backend says, null while it does not answer.
 * 1 fixed names: those, whatever the backend says; 2 no answer: nothing; 3 unset: its names and `default`, which stays
 * unlisted unless it is the only one; 4 `*`: the fixed names, its names and `*`.
 */
export function toAnnouncement(configured: readonly string[] | null, listed: readonly string[] | null): Announcement {
  if (configured !== null && !isDiscovered(configured)) return { models: capped(configured, MODELS_MAX), unlisted: [] }; // (1)
  if (listed === null) return NOTHING; // (2)
  if (configured === null) {
    const names = capped(listed, MODELS_MAX - 1);
    if (names.length === 0 || names.includes(DEFAULT_MODEL)) return { models: names.length === 0 ? [DEFAULT_MODEL] : names, unlisted: [] };
    return { models: [...names, DEFAULT_MODEL], unlisted: [DEFAULT_MODEL] }; // (3)
  }
  const names = [...configured, ...listed].filter((name) => name.trim() !== ANY_MODEL);
  return { models: [...capped(names, MODELS_MAX - 1), ANY_MODEL], unlisted: [] }; // (4)
}

export function isSameAnnouncement(a: Announcement, b: Announcement): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** What the relay would keep anyway, so that the catch-all at the end is never what it cuts. */
function capped(names: readonly string[], most: number): readonly string[] {
  let bytes = 0;
  return cleanModels(names.filter((name) => name.trim().length <= MODEL_NAME_MAX_CHARS))
    .models.slice(0, most)
    .filter((name) => (bytes += Buffer.byteLength(JSON.stringify(name)) + 1) <= NAMES_MAX_BYTES);
}
