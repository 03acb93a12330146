// A progress bar in one line of the terminal: what is done, how fast, and how long it may still take. Shown to people only.
import { isatty } from "node:tty";
import type { Clock, Timer } from "../base/clock.ts";
import { showDuration } from "../base/quantity.ts";
import { cutLine } from "./columns.ts";

/** Where it is drawn: usually the standard error output. */
export interface ProgressTerminal {
  /** Draws nothing when this is no terminal. */
  readonly isTty: boolean;
  /** Asked anew for each drawing, as windows change. */
  readonly columns: () => number;
  readonly write: (text: string) => void;
}

export interface ProgressState {
  readonly done: number;
  /** Null: nobody knows; there is no bar then, and no time left. */
  readonly total: number | null;
  /** Stands behind the rest, such as "2 failed". */
  readonly note?: string;
}

export interface ProgressTerms {
  readonly label: string;
  /** Asked for each drawing. */
  readonly state: () => ProgressState;
  /** An amount as it is shown: "12", "3.4 MiB". */
  readonly show: (amount: number) => string;
  /** Empty leaves the rate out; as an amount and "/s" when not given. */
  readonly showRate?: (perSecond: number) => string;
}

export interface RunningProgress {
  /** Takes the line away, so that what follows begins where it stood. */
  stop(): void;
}

const DRAW_EVERY_MS = 100;
/** The rate is that of the last so many drawings: what happens now, and not the mean since the beginning. */
const RATE_DRAWINGS = 30;
const BAR_MAX_CHARS = 30;
const BAR_MIN_CHARS = 5;
const USUAL_COLUMNS = 80;
const STANDARD_ERROR = 2;
const ERASE_LINE = "\r\u001b[2K";

export function processTerminal(write: (text: string) => void): ProgressTerminal {
  // Only to look at `process.stderr` would make a pipe one that waits for no reader.
  if (!isatty(STANDARD_ERROR)) return { isTty: false, columns: () => USUAL_COLUMNS, write };
  const { stderr } = process;
  return { isTty: true, columns: () => (stderr.columns > 0 ? stderr.columns : USUAL_COLUMNS), write };
}

export function startProgress(terms: ProgressTerms, terminal: ProgressTerminal, clock: Clock): RunningProgress {
  if (!terminal.isTty) return { stop: () => {} };
  const seen: { readonly atMs: number; readonly done: number }[] = [];
  let timer: Timer | null = null;
  const draw = (): void => {
    const state = terms.state();
    seen.push({ atMs: clock.nowMs(), done: state.done });
    if (seen.length > RATE_DRAWINGS) seen.shift();
    const line = renderProgress(terms, state, ratePerSecond(seen), terminal.columns() - 1);
    terminal.write(`${ERASE_LINE}${line}`);
    timer = clock.startTimer(DRAW_EVERY_MS, draw);
  };
  draw();
  return {
    stop() {
      timer?.stop();
      terminal.write(ERASE_LINE);
    },
  };
}

/** At most `width` columns; `rate` is an amount per second, null while it is not known. */
export function renderProgress(terms: Omit<ProgressTerms, "state">, state: ProgressState, rate: number | null, width: number): string {
  const { label, show, showRate = (perSecond) => `${show(perSecond)}/s` } = terms;
  const { done, total, note } = state;
  const shareDone = total === null ? null : total <= 0 ? 1 : Math.min(1, Math.max(0, done / total));
  const amount = total === null ? show(done) : `${show(done)}/${show(total)}`;
  const words = [
    shareDone === null ? "" : `${Math.floor(shareDone * 100)}%`.padStart(4),
    amount,
    rate === null ? "" : showRate(rate),
    total === null || rate === null || rate <= 0 || done >= total ? "" : `${timeLeft((total - done) / rate)} left`,
    note ?? "",
  ].filter((word) => word !== "");
  const text = words.join("  ");
  const barChars = Math.min(BAR_MAX_CHARS, width - Bun.stringWidth(`${label} [] ${text}`));
  const bar = shareDone === null || barChars < BAR_MIN_CHARS ? "" : `[${barOf(shareDone, barChars)}] `;
  return cutLine(`${label} ${bar}${text}`, width);
}

/** The last second is over when all is done, and not before. */
function timeLeft(seconds: number): string {
  return showDuration(Math.ceil(seconds) * 1000);
}

function ratePerSecond(seen: readonly { readonly atMs: number; readonly done: number }[]): number | null {
  const [first, last] = [seen[0]!, seen.at(-1)!];
  return last.atMs > first.atMs ? ((last.done - first.done) * 1000) / (last.atMs - first.atMs) : null;
}

function barOf(shareDone: number, chars: number): string {
  const full = Math.floor(shareDone * chars);
  return "=".repeat(full) + (full < chars ? ">" : "") + " ".repeat(Math.max(0, chars - full - 1));
}
