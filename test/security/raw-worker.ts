// A WebSocket client made by hand: it can send what no library lets through.
import { RawClient } from "../support/raw-client.ts";
import { until } from "../support/until.ts";

export interface RawFrame {
  readonly opcode: number;
  readonly payload: Uint8Array | string;
  /** True when not given. */
  readonly isFinal?: boolean;
  readonly isMasked?: boolean;
  /** The three reserved bits. */
  readonly reserved?: number;
  /** What the header says instead of the payload's length. */
  readonly claimedLength?: bigint;
}

export const TEXT = 1;
export const BINARY = 2;
export const CONTINUATION = 0;
export const PING = 9;

/** Upgraded, with the test's worker secret unless other headers are given. */
export async function rawWorker(relay: { readonly url: URL }, headers = "x-worker-secret: test-secret\r\n"): Promise<RawClient> {
  const client = await RawClient.connect(relay);
  client.send(
    `GET /v1/worker/connect?provider=local HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n` +
      `sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n${headers}\r\n`,
  );
  await until(() => client.received.includes("\r\n\r\n"), "the upgrade is answered");
  return client;
}

export function rawFrame({ opcode, payload, isFinal = true, isMasked = true, reserved = 0, claimedLength }: RawFrame): Uint8Array {
  const bytes = Buffer.from(payload);
  const length = claimedLength ?? BigInt(bytes.byteLength);
  const head = [(isFinal ? 0x80 : 0) | (reserved << 4) | opcode];
  const mask = isMasked ? 0x80 : 0;
  if (length < 126n) head.push(mask | Number(length));
  else if (length < 65_536n) head.push(mask | 126, Number(length >> 8n), Number(length & 255n));
  else {
    head.push(mask | 127);
    for (let shift = 56n; shift >= 0n; shift -= 8n) head.push(Number((length >> shift) & 255n));
  }
  // A mask of zeros is a mask.
  return Buffer.concat([Buffer.from(head), isMasked ? Buffer.alloc(4) : Buffer.alloc(0), bytes]);
}
