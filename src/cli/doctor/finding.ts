// What a check found out, and the words for it.

/** Every check, in the order they are shown, with the part of the way it looks at. */
export const CHECKS = {
  files: "This machine",
  secrets: "This machine",
  runtime: "This machine",
  proxy: "The relay",
  name: "The relay",
  connection: "The relay",
  certificate: "The relay",
  relay: "The relay",
  clock: "The relay",
  websocket: "The relay",
  secret: "The relay",
  backend: "The backend",
  models: "The backend",
  answer: "The backend",
  "hang-up": "The backend",
  "relayed answer": "Through the relay",
} as const;

export type CheckName = keyof typeof CHECKS;

/** `detail` is what was seen; `fix` what to do, in one line. */
export type Outcome =
  | { readonly verdict: "ok"; readonly detail: string }
  | { readonly verdict: "warning"; readonly detail: string; readonly fix: string }
  | { readonly verdict: "failed"; readonly detail: string; readonly fix: string }
  /** Nothing was looked at; `detail` says why. */
  | { readonly verdict: "skipped"; readonly detail: string };

/** Takes findings as they come. */
export type Say = (check: CheckName, outcome: Outcome) => void;

export function ok(detail: string): Outcome {
  return { verdict: "ok", detail };
}

export function warning(detail: string, fix: string): Outcome {
  return { verdict: "warning", detail, fix };
}

export function failed(detail: string, fix: string): Outcome {
  return { verdict: "failed", detail, fix };
}

export function skipped(detail: string): Outcome {
  return { verdict: "skipped", detail };
}

/** All of these are skipped for one reason. */
export function skipAll(checks: readonly CheckName[], why: string, say: Say): void {
  for (const check of checks) say(check, skipped(why));
}
