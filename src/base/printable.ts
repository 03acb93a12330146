// Text of others made safe to print: no control characters that could forge a line or steer a terminal, and not too long.

const LONGEST_SHOWN_CHARS = 512;
// C0, DEL, C1, the line and paragraph separators, and the marks that reorder what a terminal shows.
// oxlint-disable-next-line no-control-regex -- control characters are what it is about
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** The text with unsafe characters escaped, cut at 512 characters. */
export function printable(text: string): string {
  const cut = text.length > LONGEST_SHOWN_CHARS ? `${text.slice(0, LONGEST_SHOWN_CHARS)}…` : text;
  return cut.replace(UNSAFE, escapeCharacter);
}

/** Whole lines of others, for a terminal: line breaks and tabs stay, the rest of what is unsafe is escaped, and nothing is cut. */
export function printableLines(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(UNSAFE, (character) => (/[\n\t]/.test(character) ? character : escapeCharacter(character)));
}

/** The same in double quotes. */
export function quote(text: string): string {
  return `"${printable(text).replaceAll('"', '\\"')}"`;
}

function escapeCharacter(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\r") return "\\r";
  if (character === "\t") return "\\t";
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
