// The flags of `bun run bench`.
import { UsageError } from "../../src/base/errors.ts";

export interface BenchOptions {
  readonly isQuick: boolean;
  readonly isJson: boolean;
  /** Update docs/benchmarks.md. */
  readonly doesWrite: boolean;
  /** Names of cases; null: all. */
  readonly only: readonly string[] | null;
  readonly profileDir: string | null;
}

export const USAGE = `bun run bench [flags]
  --quick          a few seconds, to see that it works; the figures mean little
  --only a,b       only these cases: CASES
  --json           the figures as JSON
  --write          update docs/benchmarks.md
  --profile DIR    relay and workers leave CPU profiles there (they run slower)`;

/** @throws UsageError naming what is wrong */
export function parseOptions(args: readonly string[], cases: readonly string[]): BenchOptions {
  const options = {
    isQuick: false,
    isJson: false,
    doesWrite: false,
    only: null as readonly string[] | null,
    profileDir: null as string | null,
  };
  const rest = [...args];
  const value = (flag: string): string => {
    const next = rest.shift();
    if (next === undefined) throw new UsageError(`${flag} needs a value`);
    return next;
  };
  for (let flag = rest.shift(); flag !== undefined; flag = rest.shift()) {
    if (flag === "--quick") options.isQuick = true;
    else if (flag === "--json") options.isJson = true;
    else if (flag === "--write") options.doesWrite = true;
    else if (flag === "--only") options.only = value(flag).split(",");
    else if (flag === "--profile") options.profileDir = value(flag);
    else throw new UsageError(`there is no flag '${flag}'`);
  }
  const unknown = options.only?.find((name) => !cases.includes(name));
  if (unknown !== undefined) throw new UsageError(`there is no case '${unknown}'; there are ${cases.join(", ")}`);
  return options;
}
