// Findings as text, one after another as they come, or as one JSON object at the end.
import { VERSION } from "../../base/version.ts";
import { wrapWords } from "../wrap.ts";
import type { Outcome } from "./finding.ts";

type Finding<Check extends string = string> = Outcome & { readonly check: Check };

export class Report<Check extends string> {
  readonly findings: Finding<Check>[] = [];
  readonly #parts: Readonly<Record<Check, string>>;
  readonly #nameChars: number;
  readonly #print: ((text: string) => void) | null;
  readonly #width: number;
  #part = "";

  /** `parts` has every check there may be, with the part of the whole it looks at. `print` null: nothing is shown while it goes on. */
  constructor(parts: Readonly<Record<Check, string>>, print: ((text: string) => void) | null, width: number) {
    this.#parts = parts;
    this.#nameChars = Math.max(...Object.keys(parts).map((check) => check.length));
    this.#print = print;
    this.#width = width;
  }

  readonly say = (check: Check, outcome: Outcome): void => {
    const finding = { check, ...outcome };
    this.findings.push(finding);
    const part = this.#parts[check];
    if (part !== this.#part) this.#print?.(`${this.#part === "" ? "" : "\n"}${part}\n`);
    this.#part = part;
    this.#print?.(renderFinding(finding, this.#nameChars, this.#width));
  };

  get isFine(): boolean {
    return this.#count("failed") === 0;
  }

  /** The last lines: how it went. */
  get summary(): string {
    const counts = (["failed", "warning", "skipped"] as const)
      .map((verdict) => [this.#count(verdict), verdict] as const)
      .filter(([count]) => count > 0)
      .map(([count, verdict]) => `${count} ${verdict === "warning" && count > 1 ? "warnings" : verdict}`);
    const fine = this.#count("ok");
    return `\n${[`${fine} of ${this.findings.length} checks ok`, ...counts].join(", ")}\n`;
  }

  get json(): object {
    return {
      version: VERSION,
      ok: this.isFine,
      checks: this.findings.map((finding) => ({
        part: this.#parts[finding.check],
        check: finding.check,
        verdict: finding.verdict,
        detail: finding.detail,
        fix: "fix" in finding ? finding.fix : null,
      })),
    };
  }

  #count(verdict: Finding["verdict"]): number {
    return this.findings.filter((finding) => finding.verdict === verdict).length;
  }
}

const VERDICT_CHARS = 8;
// Beside its head a finding gets no less; where there is less, it goes below.
const ROOM_MIN = 28;
const INDENT_BELOW = 6;

function renderFinding(finding: Finding, nameChars: number, width: number): string {
  const verdict = finding.verdict === "failed" ? "FAILED" : finding.verdict;
  const head = `  ${verdict.padEnd(VERDICT_CHARS)} ${finding.check.padEnd(nameChars)}  `;
  const isBeside = width - head.length >= ROOM_MIN;
  const indent = isBeside ? head.length : INDENT_BELOW;
  const under = (sign: string, text: string): readonly string[] => {
    const [first = "", ...more] = wrapWords(text, " ".repeat(indent + sign.length), width);
    return [`${" ".repeat(indent)}${sign}${first.trimStart()}`, ...more];
  };
  const [first = "", ...more] = under("", finding.detail);
  const lines = isBeside ? [head + first.trimStart(), ...more] : [head.trimEnd(), first, ...more];
  return [...lines, ...("fix" in finding ? under("-> ", finding.fix) : [])].map((line) => `${line}\n`).join("");
}
