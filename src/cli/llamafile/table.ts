// Rows as a table of aligned columns, for people.

/** Every cell padded to its column; the last one as it is. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => Bun.stringWidth(row[column] ?? ""))));
  const lines = all.map((row) =>
    row
      .map((cell, column) => cell + " ".repeat(Math.max(0, widths[column]! - Bun.stringWidth(cell))))
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}
