// How many wrong credentials one address may try: a token bucket for each, and only so many buckets.
import type { Clock } from "./clock.ts";

/** Enough for a fleet behind one address that starts with a wrong secret; far too few to guess. */
const BURST = 20;
const REFILL_PER_SEC = 1;
/** The least recently failing address is forgotten first. */
const ADDRESSES_MAX = 10_000;

interface Bucket {
  tokens: number;
  atMs: number;
}

export class FailureBudget {
  readonly #clock: Clock;
  /** In order of last failure. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Has this address used up what it may try? Only ever asked about credentials that are not known to be good. */
  isSpent(address: string): boolean {
    const bucket = this.#buckets.get(networkOf(address));
    return bucket !== undefined && this.#tokensOf(bucket) < 1;
  }

  /** A wrong credential came from this address. */
  onFailure(address: string): void {
    const network = networkOf(address);
    const known = this.#buckets.get(network);
    const tokens = known === undefined ? BURST : this.#tokensOf(known);
    this.#buckets.delete(network);
    this.#buckets.set(network, { tokens: Math.max(0, tokens - 1), atMs: this.#clock.nowMs() });
    if (this.#buckets.size <= ADDRESSES_MAX) return;
    const [oldest] = this.#buckets.keys();
    if (oldest !== undefined) this.#buckets.delete(oldest);
  }

  #tokensOf({ tokens, atMs }: Bucket): number {
    return Math.min(BURST, tokens + ((this.#clock.nowMs() - atMs) / 1000) * REFILL_PER_SEC);
  }
}

/** Who has one IPv6 address has the /64 around it (RFC 6177), so that is what counts as one. */
function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail = ""] = address.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === "" ? [] : tail.split(":");
  const groups = [...left, ...Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => "0"), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => group.toLowerCase().replace(/^0+(?=.)/, ""))
    .join(":")}::/64`;
}
