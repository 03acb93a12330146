// What this worker takes from a relay, beyond the limits both ends share.
import { MIB } from "../protocol/limits.ts";

/** Twice what a relay accepts by default: room for operators who raised it, none for a relay that fills our memory. */
export const REQUEST_BODY_MAX_BYTES = 64 * MIB;
/** A relay that restarts and names no limit for it gets this long until its worker comes back by itself. */
export const RELAY_DRAIN_DEFAULT_SECS = 60;
export const RELAY_DRAIN_MAX_SECS = 3_600;
