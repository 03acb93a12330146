// Findings as text, one after another as they come, or as one JSON object at the end.
import { VERSION } from "../../base/version.ts";
import { type CheckName, CHECKS, type Finding, type Outcome } from "./finding.ts";

export class Report {
  readonly findings: Finding[] = [];
  readonly #print: ((text: string) => void) | null;
  #part = "";

  /** `print` null: nothing is shown while it goes on. */
  constructor(print: ((text: string) => void) | null) {
    this.#print = print;
  }

  readonly say = (check: CheckName, outcome: Outcome): void => {
    const finding = { check, ...outcome };
    this.findings.push(finding);
    const part = CHECKS[check];
    if (part !== this.#part) this.#print?.(`${this.#part === "" ? "" : "\n"}${part}\n`);
    this.#part = part;
    this.#print?.(renderFinding(finding));
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
        part: CHECKS[finding.check],
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
const NAME_CHARS = Math.max(...Object.keys(CHECKS).map((check) => check.length));

function renderFinding(finding: Finding): string {
  const verdict = finding.verdict === "failed" ? "FAILED" : finding.verdict;
  const line = `  ${verdict.padEnd(VERDICT_CHARS)} ${finding.check.padEnd(NAME_CHARS)}  ${finding.detail}\n`;
  return "fix" in finding ? `${line}${" ".repeat(VERDICT_CHARS + NAME_CHARS + 5)}-> ${finding.fix}\n` : line;
}
