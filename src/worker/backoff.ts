// How long a worker waits before it knocks at its relay again: spread out, so that a restarted relay is not met by its whole fleet at once.

/** A relay that is back after a blip finds its workers back within this, on average half of it. */
export const RETRY_FIRST_MS = 1_000;
/** The longest an unattended box stays away once its relay is well again. */
export const RETRY_MAX_MS = 30_000;
/** Never a hot loop, whatever the dice say. */
export const RETRY_LEAST_MS = 50;
/** A refusal only a human can lift (wrong secret): come back, but without hammering the relay's failure limits. */
export const RETRY_REFUSED_MS = 30_000;
/** A registration that held this long proves the relay healthy: the next loss starts counting from the beginning. */
export const STABLE_AFTER_MS = 30_000;

/**
 * Milliseconds to wait after the `failures`-th failure in a row (1, 2, ...): anywhere between RETRY_LEAST_MS and
 * 1 s, 2 s, 4 s ... 30 s ("full jitter"). `random` is in [0, 1).
 */
export function retryDelayMs(failures: number, random: number): number {
  const ceiling = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(Math.max(failures - 1, 0), 16));
  return Math.max(RETRY_LEAST_MS, Math.floor(random * ceiling));
}

/** Milliseconds to wait after a refusal: RETRY_REFUSED_MS and up to a tenth more. */
export function refusedDelayMs(random: number): number {
  return RETRY_REFUSED_MS + Math.floor((random * RETRY_REFUSED_MS) / 10);
}

/** A relay cannot send its fleet away for longer than this. */
const AWAY_MAX_SECS = 300;
const AWAY_DEFAULT_SECS = 1;

/** Milliseconds to stay away when a relay that restarts asked for `secs` seconds: at least that, at most twice that. */
export function awayDelayMs(secs: number | null | undefined, random: number): number {
  const asked = typeof secs === "number" && Number.isFinite(secs) && secs >= 0 ? Math.min(secs, AWAY_MAX_SECS) : AWAY_DEFAULT_SECS;
  return Math.max(RETRY_LEAST_MS, Math.floor(asked * 1_000 * (1 + random)));
}
