// Whose request it is, when proxies stand in between: the real peer, unless it is a proxy we were told to trust.
import { BlockList, isIPv4, isIPv6 } from "node:net";

export interface TrustedProxies {
  readonly isTrusted: (address: string) => boolean;
}

/** `cidrs`: `10.0.0.0/8`, `::1/128`, or single addresses. @throws Error naming the one that is none */
export function trustedProxies(cidrs: readonly string[]): TrustedProxies {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const range = parseRange(cidr);
    if (range === null) throw new Error(`'${cidr}' is no address or CIDR range`);
    list.addSubnet(range.address, range.bits, range.family);
  }
  return { isTrusted: (address) => (isIPv4(address) && list.check(address, "ipv4")) || (isIPv6(address) && list.check(address, "ipv6")) };
}

/**
 * The last address of `X-Forwarded-For` that no trusted proxy wrote about itself; the peer's own when it is not a trusted proxy.
 * What a client writes into the header itself stands left of that and is never reached.
 */
export function clientAddress(peer: string, forwardedFor: string | null, proxies: TrustedProxies): string {
  let address = plainAddress(peer);
  const hops = forwardedFor === null ? [] : forwardedFor.split(",").map((hop) => plainAddress(hop.trim()));
  while (proxies.isTrusted(address)) {
    const previous = hops.pop();
    if (previous === undefined || (!isIPv4(previous) && !isIPv6(previous))) return address;
    address = previous;
  }
  return address;
}

/** Without the IPv6 clothing a dual-stack socket puts on IPv4 peers, and without the port some proxies write behind it. */
function plainAddress(address: string): string {
  const bare = address.replace(/^\[(.*)\](?::\d+)?$/, "$1").replace(/^([\d.]+):\d+$/, "$1");
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(bare);
  return mapped?.[1] ?? bare;
}

export function isAddressRange(cidr: string): boolean {
  return parseRange(cidr) !== null;
}

function parseRange(cidr: string): { readonly address: string; readonly bits: number; readonly family: "ipv4" | "ipv6" } | null {
  const [address = "", prefix, rest] = cidr.split("/");
  const family = isIPv4(address) ? "ipv4" : isIPv6(address) ? "ipv6" : null;
  if (family === null || rest !== undefined || (prefix !== undefined && !/^\d{1,3}$/.test(prefix))) return null;
  const longest = family === "ipv4" ? 32 : 128;
  const bits = prefix === undefined ? longest : Number(prefix);
  return bits > longest ? null : { address, bits, family };
}
