// Decides whether the repository is in order: `bun run check`, or only some steps of it: `bun scripts/check.ts lint types`.
import { join } from "node:path";

interface Step {
  readonly name: string;
  /** Arguments for this very Bun, so that nothing else has to be on the PATH. */
  readonly command: readonly string[];
}

const STEPS: readonly Step[] = [
  { name: "format", command: tool("oxfmt", "--check") },
  { name: "lint", command: tool("oxlint", "--type-aware") },
  { name: "types", command: tool("tsc", "--noEmit") },
  { name: "dead-code", command: tool("knip") },
  { name: "test", command: ["test"] },
];

process.exitCode = await main(process.argv.slice(2));

/** The first step that fails ends it. Returns the exit code. */
async function main(wanted: readonly string[]): Promise<number> {
  const unknown = wanted.find((name) => STEPS.every((step) => step.name !== name));
  if (unknown !== undefined) {
    console.error(`There is no step '${unknown}'. The steps are ${STEPS.map((step) => step.name).join(", ")}.`);
    return 2;
  }
  const steps = wanted.length === 0 ? STEPS : STEPS.filter((step) => wanted.includes(step.name));
  const done: string[] = [];
  for (const step of steps) {
    console.log(`\n== ${step.name}`);
    const startedAt = performance.now();
    const isGood = await run(step);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    if (!isGood) {
      console.error(`\n== ${step.name} failed after ${seconds} s. In order before it: ${done.join(", ") || "nothing"}.`);
      return 1;
    }
    done.push(`${step.name} (${seconds} s)`);
  }
  console.log(`\n== All in order: ${done.join(", ")}.`);
  return 0;
}

async function run(step: Step): Promise<boolean> {
  const root = join(import.meta.dir, "..");
  const child = Bun.spawn([process.execPath, ...step.command], { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  return (await child.exited) === 0;
}

// The tools' own scripts ask for node; --bun runs them without it.
function tool(name: string, ...args: readonly string[]): readonly string[] {
  return ["--bun", `node_modules/.bin/${name}`, ...args];
}
