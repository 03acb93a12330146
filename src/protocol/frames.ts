// Binary frames of protocol v2: five bytes that say whose body this is, then the body's own bytes, untouched.
import { PeerError } from "../base/errors.ts";
import { CLOSE } from "./close.ts";
import { BODY_FRAME_MAX_BYTES } from "./limits.ts";

/** byte 0: 1 request body, 2 response body. Bytes 1-4: attempt number, big-endian u32. */
const HEADER_BYTES = 5;
const KINDS = { request: 1, response: 2 } as const;
export type BodyKind = keyof typeof KINDS;

export interface BodyFrame {
  readonly kind: BodyKind;
  readonly attempt: number;
  /** A view into the frame, not a copy. */
  readonly bytes: Uint8Array;
}

/** One frame holding `bytes` (at most BODY_FRAME_MAX_BYTES; see splitBody). */
export function encodeBodyFrame(kind: BodyKind, attempt: number, bytes: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + bytes.byteLength);
  frame[0] = KINDS[kind];
  frame.writeUInt32BE(attempt, 1);
  frame.set(bytes, HEADER_BYTES);
  return frame;
}

/** @throws PeerError 1002 for a frame that is too short, of an unknown kind or longer than a body frame may be */
export function decodeBodyFrame(frame: Uint8Array): BodyFrame {
  const kind = frame[0] === KINDS.request ? "request" : frame[0] === KINDS.response ? "response" : null;
  if (kind === null || frame.byteLength < HEADER_BYTES || frame.byteLength > HEADER_BYTES + BODY_FRAME_MAX_BYTES) {
    throw new PeerError(CLOSE.protocolError.code, CLOSE.protocolError.reason);
  }
  const attempt = frame[1]! * 0x100_0000 + ((frame[2]! << 16) | (frame[3]! << 8) | frame[4]!);
  return { kind, attempt, bytes: frame.subarray(HEADER_BYTES) };
}
