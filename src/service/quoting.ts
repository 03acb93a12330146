// Words written so that systemd, launchd's property lists, Windows and shells read back exactly what was meant.

/**
 * A word of ExecStart=. What has a meaning to systemd is taken from it: white space, quotes and backslashes as in C, `%` as the
 * start of a specifier, `$` as that of a variable, and a `;` standing alone.
 */
export function quoteForSystemd(word: string): string {
  const plain = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  if (/^[A-Za-z0-9_./:=@,+%$*-]+$/.test(plain)) return plain;
  return `"${escapeLikeC(plain)}"`;
}

/** A value of an environment file of systemd: double quotes, in which `$` and back ticks are escaped too and nothing is expanded. */
export function quoteForEnvironmentFile(value: string): string {
  return `"${value.replaceAll(/["\\$`]/g, String.raw`\$&`)}"`;
}

/** Text of a property list. */
export function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** A command line as CommandLineToArgvW splits it again: backslashes count only in front of a quote. */
export function toWindowsCommandLine(words: readonly string[]): string {
  return words.map(quoteForWindows).join(" ");
}

/** A command as one would type it, to be read and copied. */
export function toShellCommand(words: readonly string[]): string {
  return words.map((word) => (/^[A-Za-z0-9_./:=@,+%-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`)).join(" ");
}

/** No word may break the line it stands in, nor be something that XML or a unit cannot hold. */
export function isOneLine(word: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are what it is about
  return !/[\u0000-\u001f\u007f\ufffe\uffff]/.test(word) && word.isWellFormed();
}

function escapeLikeC(text: string): string {
  return text.replaceAll(/["\\]/g, String.raw`\$&`);
}

function quoteForWindows(word: string): string {
  if (word !== "" && !/[\s"]/.test(word)) return word;
  const escaped = word.replaceAll(/(\\*)"/g, String.raw`$1$1\"`).replace(/\\+$/, "$&$&");
  return `"${escaped}"`;
}
