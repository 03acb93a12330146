// The end of a refusal that names what was probably meant.
import { nearestNames } from "../../base/nearest.ts";

/** `; did you mean --listen?`, or a full stop when no known name is near. */
export function didYouMean(wrong: string, known: readonly string[], prefix = ""): string {
  const [nearest] = nearestNames(wrong, known, 1);
  return nearest === undefined ? "." : `; did you mean ${prefix}${nearest}?`;
}
