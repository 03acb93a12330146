// Allow-lists of models are globs: `*` stands for any characters, everything else for itself.

/** Whether a key with this allow-list may use the model; null allows all. */
export function allowsModel(models: readonly string[] | null, model: string): boolean {
  return models === null || models.some((pattern) => matchesGlob(pattern, model));
}

/**
 * Whether the whole text matches. Case counts, as it does in model names. Each part between two stars is taken
 * where it first fits and never elsewhere, so that no pattern makes this slow.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  const parts = pattern.split("*");
  const first = parts[0] ?? "";
  if (parts.length === 1) return text === pattern;
  const last = parts.at(-1) ?? "";
  const end = text.length - last.length;
  if (end < first.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
