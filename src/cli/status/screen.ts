// Where `status` draws: a window that is drawn anew in place, or lines one after another for everything that is none.
import { isatty } from "node:tty";
import { outputWidth } from "../columns.ts";
import { writeInTurn } from "../write-in-turn.ts";
import { writeNow } from "../write-now.ts";
import type { Room } from "./render.ts";

export interface Screen {
  /** How much there is room for at this moment. */
  readonly room: () => Room;
  /** Resolves once it is drawn. False: nobody reads any more. */
  readonly draw: (lines: readonly string[]) => Promise<boolean>;
  /** Called when the window gets another size. */
  readonly onResize: (redraw: () => void) => void;
  /** Gives the window back as it was. */
  readonly stop: () => void;
}

/** On a terminal the window is cleared only by what is drawn over it, all at once: nothing flickers. */
export function openScreen(): Screen {
  if (!isatty(STANDARD_OUTPUT)) return { ...ROLLING, onResize: () => {}, stop: () => {} };
  let onResize: (() => void) | null = null;
  writeNow(STANDARD_OUTPUT, `${OTHER_BUFFER}${HIDE_CURSOR}`);
  return {
    room: () => ({ columns: outputWidth(), rows: process.stdout.rows || USUAL_ROWS }),
    draw: async (lines) =>
      writeNow(STANDARD_OUTPUT, `${BEGIN}${HOME}${lines.map((line) => `${line}${ERASE_TO_END}`).join("\r\n")}${ERASE_BELOW}${END}`),
    onResize(redraw) {
      onResize = redraw;
      process.stdout.on("resize", redraw);
    },
    stop() {
      if (onResize !== null) process.stdout.off("resize", onResize);
      writeNow(STANDARD_OUTPUT, `${SHOW_CURSOR}${USUAL_BUFFER}`);
    },
  };
}

/** Room for one look: a terminal's width, and as many lines as it takes. */
export function roomForOneLook(): Room {
  return { columns: outputWidth(), rows: Infinity };
}

const STANDARD_OUTPUT = 1;

const ROLLING = {
  // A file has no width, and the next program wants all of it.
  room: (): Room => ({ columns: Infinity, rows: Infinity }),
  draw: async (lines: readonly string[]) => await writeInTurn(`${lines.join("\n")}\n\n`),
};

const USUAL_ROWS = 24;

// Terminals without a second buffer or without synchronized drawing pass over these.
const OTHER_BUFFER = "\u001b[?1049h";
const USUAL_BUFFER = "\u001b[?1049l";
const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";
const BEGIN = "\u001b[?2026h";
const END = "\u001b[?2026l";
const HOME = "\u001b[H";
const ERASE_TO_END = "\u001b[K";
const ERASE_BELOW = "\u001b[J";
