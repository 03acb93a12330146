// Tables for terminals: columns as wide as their cells, the least important left out where the window is narrow.
import { isatty } from "node:tty";

export interface Column {
  readonly head: string;
  /** 1 is never left out; the highest goes first. */
  readonly rank: number;
  /** Wider cells are cut, where there is a width at all; none when not given. */
  readonly maxChars?: number;
  readonly isNumber?: boolean;
}

/**
 * The head and a line for each row, none wider than `width`; cells in the order of the columns, made printable before.
 * Where even the columns of rank 1 are too wide, the lines are cut.
 */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): readonly string[] {
  const widths = columns.map(({ head, maxChars = Infinity }, at) => {
    return Math.min(
      width === Infinity ? Infinity : maxChars,
      Math.max(Bun.stringWidth(head), ...rows.map((row) => Bun.stringWidth(row[at] ?? ""))),
    );
  });
  const kept = keptColumns(columns, widths, width);
  const toLine = (cells: readonly string[]): string => {
    const line = kept.map((at) => fitCell(cells[at] ?? "", widths[at] ?? 0, columns[at]?.isNumber === true)).join(GAP);
    return cutLine(line.trimEnd(), width);
  };
  return [toLine(columns.map(({ head }) => head)), ...rows.map(toLine)];
}

/**
 * Columns of the terminal that the standard output is; a file has no width, and the next program wants all of it. A pipe is left alone: only
 * to look at `process.stdout` would make it one that waits for no reader, for every program that writes to it.
 */
export function outputWidth(): number {
  return isatty(STANDARD_OUTPUT) ? process.stdout.columns || USUAL_COLUMNS : Infinity;
}

/** Padded to `width`, or cut with a sign that it was. */
function fitCell(text: string, width: number, isRight = false): string {
  const missing = width - Bun.stringWidth(text);
  if (missing < 0) return fitCell(cutLine(text, width), width, isRight);
  return isRight ? " ".repeat(missing) + text : text + " ".repeat(missing);
}

/** At most `width` columns of a terminal, with a sign that it was cut. */
export function cutLine(text: string, width: number): string {
  if (Bun.stringWidth(text) <= width) return text;
  let cut = "";
  for (const character of text) {
    if (Bun.stringWidth(cut + character) > width - 1) break;
    cut += character;
  }
  return `${cut}…`;
}

const STANDARD_OUTPUT = 1;
const GAP = "  ";
const USUAL_COLUMNS = 80;

function keptColumns(columns: readonly Column[], widths: readonly number[], width: number): readonly number[] {
  let kept = columns.map((_, at) => at);
  const total = (): number => kept.reduce((sum, at) => sum + (widths[at] ?? 0) + GAP.length, -GAP.length);
  for (;;) {
    const worst = Math.max(...kept.map((at) => columns[at]?.rank ?? 1));
    if (total() <= width || worst <= 1) return kept;
    // Of several of one rank the last goes first.
    const gone = kept.findLast((at) => columns[at]?.rank === worst);
    kept = kept.filter((at) => at !== gone);
  }
}
