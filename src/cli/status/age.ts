// How long something lasts already, as people say it.

/** `0 s`, `59 s`, `12 min`, `3 h 5 min`, `4 d 2 h`; what lies ahead is 0 s: clocks differ. */
export function showAge(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min`;
  if (whole < DAY) return withRest(whole, [HOUR, "h"], [MINUTE, "min"]);
  return withRest(whole, [DAY, "d"], [HOUR, "h"]);
}

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;

type Unit = readonly [secs: number, name: string];

function withRest(seconds: number, [large, largeName]: Unit, [small, smallName]: Unit): string {
  const rest = Math.floor((seconds % large) / small);
  return `${Math.floor(seconds / large)} ${largeName}${rest === 0 ? "" : ` ${rest} ${smallName}`}`;
}
