// The demo's idea of a token: up to four characters of a word, with the white space before it.

/** The tokens of `text`; joined they give it back. Never splits a character outside the basic plane. */
export function splitTokens(text: string): readonly string[] {
  return text.match(/\s*\S{1,4}|\s+$/gu) ?? [];
}

export function countTextTokens(text: string): number {
  return splitTokens(text).length;
}

export function countWords(text: string): number {
  return text.match(/\S+/g)?.length ?? 0;
}

/** At most `most` characters of `text`, without the white space around it; "…" shows that something was left out. */
export function shorten(text: string, most: number): string {
  const characters = Array.from(text.trim());
  return characters.length <= most ? characters.join("") : `${characters.slice(0, most).join("")}…`;
}
