// The flags of `bun run build`.
import { UsageError } from "../../src/base/errors.ts";
import { nearestNames } from "../../src/base/nearest.ts";
import { type Target, TARGETS } from "./targets.ts";

export interface BuildOptions {
  /** What to build; "here": for this machine, under the program's plain name. */
  readonly targets: readonly Target[] | "here";
  readonly outDir: string;
}

export const USAGE = `bun run build [flags]
  --target NAME    only for this machine; can be given again: ${TARGETS.map((target) => target.name).join(", ")}
  --single         only for the machine this runs on, as dist/modelrelay
  --out DIR        where to, instead of dist`;

/** @throws UsageError naming what is wrong */
export function parseOptions(args: readonly string[]): BuildOptions {
  const names: string[] = [];
  let isSingle = false;
  let outDir = "dist";
  const rest = args.flatMap((arg) => (/^--\w+=/.test(arg) ? [arg.slice(0, arg.indexOf("=")), arg.slice(arg.indexOf("=") + 1)] : [arg]));
  const value = (flag: string): string => {
    const next = rest.shift();
    if (next === undefined || next === "" || next.startsWith("-")) throw new UsageError(`${flag} needs a value`);
    return next;
  };
  for (let flag = rest.shift(); flag !== undefined; flag = rest.shift()) {
    if (flag === "--single") isSingle = true;
    else if (flag === "--target") names.push(value(flag));
    else if (flag === "--out") outDir = value(flag);
    else throw new UsageError(`there is no flag '${flag}'`);
  }
  if (isSingle && names.length > 0) throw new UsageError("--single and --target exclude each other");
  if (isSingle) return { targets: "here", outDir };
  const wanted = names.map(targetNamed);
  return { targets: wanted.length === 0 ? TARGETS : [...new Set(wanted)], outDir };
}

function targetNamed(name: string): Target {
  const found = TARGETS.find((target) => target.name === name);
  if (found !== undefined) return found;
  const names = TARGETS.map((target) => target.name);
  const [nearest] = nearestNames(name, names, 1);
  const hint = nearest === undefined ? "." : `; did you mean ${nearest}?`;
  throw new UsageError(`there is no target '${name}'${hint} The targets are ${names.join(", ")}`);
}
