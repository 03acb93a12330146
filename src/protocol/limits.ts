// Every limit both ends of the worker socket hold each other to. Units come last in the names.

export const KIB = 1024;
export const MIB = 1024 * KIB;

/** An upgraded socket that has not registered by then is closed: it costs memory and nobody vouches for it. */
export const REGISTER_DEADLINE_MS = 5_000;
/** A `register` or `models_update` frame; 256 models of 256 characters fit when they are not all of the longest. */
export const REGISTER_MAX_BYTES = 128 * KIB;
export const MODELS_MAX = 256;
export const MODEL_NAME_MAX_CHARS = 256;
export const WORKER_NAME_MAX_CHARS = 128;
/** More slots than any one backend serves; keeps a forged register from claiming the whole queue. */
export const SLOTS_MAX = 4_096;

/** Bytes of body in one binary v2 frame: small enough that no other stream waits long behind it. */
export const BODY_FRAME_MAX_BYTES = 256 * KIB;
/** A larger v2 frame of any kind closes the connection with 1009. */
export const V2_FRAME_MAX_BYTES = 1 * MIB;
/** v1 frames carry whole bodies as escaped JSON text, up to twice their size. */
export const V1_FRAME_MAX_BYTES = 160 * MIB;

/** A non-streaming answer larger than this is broken off: no JSON answer of a model is. */
export const UNARY_ANSWER_MAX_BYTES = 64 * MIB;
/** Header block of one answer, names and values together. */
export const ANSWER_HEADERS_MAX_BYTES = 32 * KIB;

const WINDOWS_TOTAL_BYTES = 8 * MIB;
const WINDOW_MIN_BYTES = 32 * KIB;
const WINDOW_MAX_BYTES = 256 * KIB;

/**
 * Bytes a v2 sender may have under way in one direction of one attempt before it must wait for `credit`.
 * Both ends compute it from the slots the relay acknowledged.
 */
export function windowBytes(slots: number): number {
  const share = Math.floor(WINDOWS_TOTAL_BYTES / Math.max(1, slots));
  return Math.min(WINDOW_MAX_BYTES, Math.max(WINDOW_MIN_BYTES, share));
}

/** Silence after which a worker takes its relay for frozen and reconnects; field workers use the same. */
export const RELAY_SILENCE_MS = 90_000;
/** A cancelled attempt nobody accounts for by then costs the worker its connection. */
export const CANCEL_ACK_DEADLINE_MS = 10_000;
