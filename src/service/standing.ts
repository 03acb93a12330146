// Whether a service that was just started stays up: the managers say that they started it also when it ends a moment later.
import type { Clock } from "../base/clock.ts";
import { numbersOf } from "./windows-query.ts";
import { ERROR_SERVICE_SPECIFIC, STATE } from "./windows-service.ts";

export type Standing =
  | { readonly kind: "up" }
  | { readonly kind: "starting" }
  /** As in `exit code 2`. */
  | { readonly kind: "down"; readonly end: string }
  /** The manager did not say. */
  | { readonly kind: "unknown" };

/** How long a service is watched: by then a port that is taken or a setting that is refused has ended it. */
export const WATCHED_MS = 2_000;
const LOOK_EVERY_MS = 250;

/** How it stands after a while; at once when it is down, or nobody says. */
export async function watchStart(look: () => Promise<Standing>, clock: Clock): Promise<Standing> {
  const untilMs = clock.nowMs() + WATCHED_MS;
  for (;;) {
    const standing = await look();
    const isOver = standing.kind === "down" || standing.kind === "unknown" || clock.nowMs() >= untilMs;
    if (isOver) return standing;
    await new Promise<void>((resolve) => clock.startTimer(LOOK_EVERY_MS, resolve));
  }
}

/** What `systemctl show` is asked for. */
export const SYSTEMD_PROPERTIES = "ActiveState,SubState,NRestarts,ExecMainCode,ExecMainStatus";

/**
 * 1. systemctl said nothing
 * 2. it runs, and was not started again
 * 3. it is on its way for the first time
 * 4. it ended, by a signal or a core dump or with an exit code, whether it is tried again or not
 */
export function standingUnderSystemd(out: string): Standing {
  const properties = new Map(
    out.split("\n").flatMap((line) => [...line.matchAll(/^(\w+)=(.*)$/g)].map(([, key = "", text = ""]) => [key, text])),
  );
  const state = properties.get("ActiveState");
  if (state === undefined) return { kind: "unknown" }; // (1)
  const isFirst = (properties.get("NRestarts") ?? "0") === "0" && !(properties.get("SubState") ?? "").startsWith("auto-restart");
  if (isFirst && /^(active|reloading)$/.test(state)) return { kind: "up" }; // (2)
  if (isFirst && state === "activating") return { kind: "starting" }; // (3)
  const isExit = /^[01]?$/.test(properties.get("ExecMainCode") ?? "");
  const status = properties.get("ExecMainStatus") ?? "unknown";
  return { kind: "down", end: isExit ? `exit code ${status}` : `signal ${status}` }; // (4)
}

/** Of `launchctl print`. 1. it is not loaded  2. it ended at least once  3. it runs  4. it is on its way */
export function standingUnderLaunchd(code: number, out: string): Standing {
  if (code !== 0) return { kind: "unknown" }; // (1)
  const said = (name: string) => new RegExp(String.raw`^\s*${name} = (.+)$`, "m").exec(out)?.[1];
  const [exit, signal] = [/^-?\d+/.exec(said("last exit code") ?? "")?.[0], said("last terminating signal")];
  if (signal !== undefined) return { kind: "down", end: `signal ${signal}` }; // (2)
  if (exit !== undefined) return { kind: "down", end: `exit code ${exit}` };
  return { kind: said("state") === "running" ? "up" : "starting" }; // (3) (4)
}

/** Of `sc query`; an exit code of the program's own stands beside that of Windows. */
export function standingUnderWindows(code: number, out: string): Standing {
  const [, state, exit, ownExit] = code === 0 ? numbersOf(out) : [];
  if (state === undefined) return { kind: "unknown" };
  if (state === String(STATE.running)) return { kind: "up" };
  if (state === String(STATE.startPending)) return { kind: "starting" };
  return {
    kind: "down",
    end: exit === String(ERROR_SERVICE_SPECIFIC) ? `exit code ${ownExit}` : `Windows error ${exit ?? "unknown"}`,
  };
}
