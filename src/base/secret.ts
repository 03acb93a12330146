// Comparing secrets without telling, by the time it takes, how much of a guess was right.
import { createHash, timingSafeEqual } from "node:crypto";

/** Returns a test for "is one of these": equal-length digests, compared in constant time. */
export function createSecretMatcher(secrets: readonly string[]): (candidate: string) => boolean {
  const expected = secrets.map(digest);
  return (candidate) => {
    const given = digest(candidate);
    let isOne = false;
    for (const digest of expected) if (timingSafeEqual(digest, given)) isOne = true;
    return isOne;
  };
}

function digest(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
