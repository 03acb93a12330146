// What models and workers say, as it goes to the standard output.
import { isatty } from "node:tty";
import { printableLines } from "../../../base/printable.ts";

/** A model may say what it was asked, so anybody may be its author: a terminal gets nothing that would steer it. */
export function shownLog(written: string): string {
  return isatty(STANDARD_OUTPUT) ? printableLines(written) : written;
}

export const STANDARD_OUTPUT = 1;
