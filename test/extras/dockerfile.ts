// Reads the Dockerfile as far as its tests need it: instructions by stage, and what a stage inherits.
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dir, "../..");

export interface Instruction {
  /** In capitals. */
  readonly name: string;
  /** Everything behind the name, on one line. */
  readonly text: string;
}

export interface Stage {
  /** What its FROM says, without flags: an image or an earlier stage. */
  readonly base: string;
  readonly name: string;
  /** FROM is the first. */
  readonly instructions: readonly Instruction[];
}

export function readStages(): readonly Stage[] {
  const stages: { base: string; name: string; instructions: Instruction[] }[] = [];
  for (const instruction of parse(readFileSync(join(ROOT, "Dockerfile"), "utf8"))) {
    if (instruction.name === "FROM") {
      const [base, , name] = wordsOf(instruction);
      stages.push({ base: base ?? "", name: name ?? "", instructions: [] });
    }
    const stage = stages.at(-1);
    if (stage === undefined) throw new Error(`${instruction.name} stands before the first FROM`);
    stage.instructions.push(instruction);
  }
  return stages;
}

/** The instructions of a stage with those of the stages it is made from, oldest first. */
export function inherited(stages: readonly Stage[], name: string): readonly Instruction[] {
  const stage = stages.find((one) => one.name === name);
  return stage === undefined ? [] : [...inherited(stages, stage.base), ...stage.instructions];
}

/** The words behind an instruction's name that are no flags of it. */
export function wordsOf(instruction: Instruction): readonly string[] {
  return instruction.text.split(/\s+/).filter((word) => !/^--[a-z]+=/.test(word));
}

export function flagOf(instruction: Instruction, flag: string): string | null {
  return new RegExp(`(?:^|\\s)--${flag}=(\\S+)`).exec(instruction.text)?.[1] ?? null;
}

/** `NAME=value NAME2="v w"` as pairs. */
export function pairsOf(instruction: Instruction): readonly (readonly [string, string])[] {
  return [...instruction.text.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S*))/g)].map((match) => [match[1]!, match[2] ?? match[3]!] as const);
}

/** The words of an exec form, as in `CMD ["a", "b"]`; null: it is a shell form. */
export function execForm(text: string): readonly string[] | null {
  const list = /\[.*\]$/.exec(text)?.[0];
  if (list === undefined) return null;
  const words: unknown = JSON.parse(list);
  return Array.isArray(words) && words.every((word) => typeof word === "string") ? words : null;
}

function parse(text: string): readonly Instruction[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.trimStart().startsWith("#"));
  return lines
    .join("\n")
    .replaceAll(/\\\n\s*/g, " ")
    .split("\n")
    .map((line) => {
      const [name = "", ...rest] = line.trim().split(" ");
      return { name: name.toUpperCase(), text: rest.join(" ").trim() };
    });
}
