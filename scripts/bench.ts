// `bun run bench`: what the relay costs, measured with real processes on the loopback against the backend called directly.
// The processes it starts are this program again, in another role.
import { join } from "node:path";
import { UsageError } from "../src/base/errors.ts";
import { startBackend } from "./bench/backend.ts";
import { type IdlePlan, startIdleWorkers } from "./bench/idle-workers.ts";
import { thisMachine } from "./bench/machine.ts";
import { type BenchOptions, parseOptions, USAGE } from "./bench/options.ts";
import { replaceGenerated, type Report, toMarkdown, toText } from "./bench/report.ts";
import { CASES, runCases } from "./bench/run.ts";
import { runTask, type Task } from "./bench/tasks.ts";

const PAGE = join(import.meta.dir, "../docs/benchmarks.md");

const args = process.argv.slice(2);
const plan = args[1] ?? "";
if (args[0] === "backend") console.log(startBackend().port);
else if (args[0] === "load") await load();
else if (args[0] === "idle-workers") await idle();
else process.exitCode = await main();

async function load(): Promise<void> {
  const task: Task = JSON.parse(plan);
  await Bun.write(Bun.stdout, JSON.stringify(await runTask(task)));
  // Connections kept alive would keep this process up.
  process.exit(0);
}

async function idle(): Promise<void> {
  const idlePlan: IdlePlan = JSON.parse(plan);
  await startIdleWorkers(idlePlan);
  console.log("ready");
}

/** Returns the exit code; a missed aim is a finding, not a failure. */
async function main(): Promise<number> {
  const names = CASES.map((one) => one.name);
  const usage = USAGE.replace("CASES", names.join(", "));
  if (args.includes("--help")) {
    console.log(usage);
    return 0;
  }
  process.on("SIGINT", () => process.exit(130));
  process.on("SIGTERM", () => process.exit(143));
  try {
    return await measure(parseOptions(args, names));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    if (error instanceof UsageError) console.error(usage);
    return 1;
  }
}

async function measure({ isQuick, profileDir, only, isJson, doesWrite }: BenchOptions): Promise<number> {
  const cases = await runCases(only, { isQuick, profileDir }, (name) => console.error(`measuring ${name} ...`));
  const report: Report = { date: new Date().toISOString().slice(0, 10), machine: thisMachine(), isQuick, cases };
  console.log(isJson ? JSON.stringify(report, null, 2) : toText(report));
  if (doesWrite) await Bun.write(PAGE, replaceGenerated(await Bun.file(PAGE).text(), toMarkdown(report)));
  return 0;
}
