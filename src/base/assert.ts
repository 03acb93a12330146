// Checks of our own reasoning: a failure here is a bug of this program, never of a peer or a user.

/** Throws when `condition` is false. Use only for what our own code promises. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`internal invariant broken: ${message}`);
}

/** Ends an exhaustive switch: the compiler proves that it cannot be reached. */
export function unreachable(value: never): never {
  throw new Error(`unreachable state: ${JSON.stringify(value)}`);
}
