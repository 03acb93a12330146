// Reads the documents as their tests need them: fences, headings, tables, and the parts that are made from the code.
import { expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dir, "../..");

/** With UPDATE_DOCS=1 the parts made from the code are written anew instead of being compared. */
const isUpdating = process.env["UPDATE_DOCS"] === "1";

export interface Document {
  /** From the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** README.md and everything under docs/. */
export function allDocuments(): readonly Document[] {
  const paths = ["README.md", ...new Bun.Glob("docs/**/*.md").scanSync({ cwd: ROOT })];
  return paths.map((path) => readDocument(path.replaceAll("\\", "/")));
}

export function readDocument(path: string): Document {
  return { path, text: readFileSync(join(ROOT, path), "utf8") };
}

export interface Fence {
  /** All of the line behind the backticks: `sh`, `sh run`, `toml`. */
  readonly info: string;
  readonly body: string;
}

/** The fenced blocks of a document, in order. */
export function fencesOf(text: string): readonly Fence[] {
  return [...text.matchAll(/^( *)```([^\n]*)\n([\s\S]*?)^\1```$/gm)].map((match) => ({ info: match[2]!.trim(), body: match[3]! }));
}

/** The text below a heading, up to the next one of its level or above; empty when there is none. */
export function sectionOf(text: string, heading: string): string {
  const level = /^#+/.exec(heading)![0].length;
  const lines = text.split("\n");
  const from = lines.indexOf(heading);
  if (from === -1) return "";
  const length = lines.slice(from + 1).findIndex((line) => new RegExp(`^#{1,${level}} `).test(line));
  return lines.slice(from + 1, length === -1 ? undefined : from + 1 + length).join("\n");
}

/** The rows of the tables in a text, heads and rules left out; each cell trimmed. */
export function tableRows(text: string): readonly (readonly string[])[] {
  const lines = text.split("\n");
  return lines
    .filter((line, index) => line.startsWith("|") && !isRule(line) && !isRule(lines[index + 1] ?? ""))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** Compares the part of a document between `<!-- made: name -->` and `<!-- end: name -->` with what the code makes of it. */
export function expectMade(path: string, name: string, made: string): void {
  const { text } = readDocument(path);
  const [begin, end] = [`<!-- made: ${name} -->`, `<!-- end: ${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`${path} has no part between ${begin} and ${end}`);
  const start = from + begin.length;
  if (isUpdating) writeFileSync(join(ROOT, path), `${text.slice(0, start)}\n\n${made}\n\n${text.slice(to)}`);
  else expect(text.slice(start, to).trim(), `${path} has drifted; UPDATE_DOCS=1 bun test test/docs writes it anew`).toBe(made);
}

export function toTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** A text as code in a table cell. */
export function code(text: string): string {
  return `\`${text.replaceAll("|", "\\|")}\``;
}

function isRule(line: string): boolean {
  return /^\|[\s|:-]+\|$/.test(line);
}
