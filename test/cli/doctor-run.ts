// `modelrelay doctor` as a process, its findings by name.
import { type CliResult, runCli } from "./run-cli.ts";

export interface Found {
  readonly part: string;
  readonly check: string;
  readonly verdict: "ok" | "warning" | "failed" | "skipped";
  readonly detail: string;
  readonly fix: string | null;
}

export interface Diagnosis extends CliResult {
  readonly checks: readonly Found[];
  /** The finding of this name. @throws when it was not made exactly once */
  of(check: string): Found;
  /** The names of the checks with this verdict. */
  with(verdict: Found["verdict"]): readonly string[];
}

/** Where nothing listens; a backend of the machine that runs the tests is none of theirs. */
export const NOBODY = "http://127.0.0.1:9";

/** With `--json`; relay and backend are ones that are not there, unless named. */
export async function diagnose(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Diagnosis> {
  const result = await runCli(["doctor", "--json", ...args], { PROXY_URL: NOBODY, BACKEND_URL: NOBODY, ...env });
  if (!result.out.startsWith("{")) throw new Error(`no findings: ${result.out}${result.err}`);
  const { checks }: { readonly checks: readonly Found[] } = JSON.parse(result.out);
  return {
    ...result,
    checks,
    of(check) {
      const [found, ...more] = checks.filter((finding) => finding.check === check);
      if (found === undefined || more.length > 0) throw new Error(`${check} is not there once: ${result.out}`);
      return found;
    },
    with: (verdict) => checks.filter((finding) => finding.verdict === verdict).map(({ check }) => check),
  };
}
