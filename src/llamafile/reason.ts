// Why the operating system refused something, in its own short words.

/** ENOENT, EACCES, ...; the message when there is no such name. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
