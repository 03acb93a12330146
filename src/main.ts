#!/usr/bin/env bun
// The program's entry: finds the command, runs it, and is the only place that ends the process.
import type { SubCommandsDef } from "citty";
import { systemClock } from "./base/clock.ts";
import { CommandError, UsageError } from "./base/errors.ts";
import { BUILD, VERSION } from "./base/version.ts";
import { type Command, type CommandWorld, isGroup } from "./cli/command.ts";
import { COMMANDS } from "./cli/commands.ts";
import { type Found, findCommand, isHelpFlag } from "./cli/find-command.ts";
import { commandOfName } from "./cli/invoked-name.ts";
import { runAsServiceIfAsked } from "./cli/service/as-service.ts";
import { lossOfOutput, writeNow } from "./cli/write-now.ts";

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  const script = Bun.isStandaloneExecutable ? null : (process.argv[1] ?? null);
  const named = commandOfName({ argv0: process.argv0, execPath: process.execPath, script });
  const isNamed = named !== null && !COMMANDS.some(({ name }) => name === args[0]);
  const world: CommandWorld = {
    env: process.env,
    clock: systemClock,
    print: (text) => writeNow(STANDARD_OUTPUT, text),
    tell: (text) => writeNow(STANDARD_ERROR, text),
  };
  try {
    if (isCompletionsFlag(args[0])) {
      const { answerCompletionsFlag } = await import("./cli/completions/completions.ts");
      return await answerCompletionsFlag(named, args, world);
    }
    const line = isNamed ? [named, ...args] : args;
    const exitCode = await runAsServiceIfAsked(line[0], async () => await runLineOrExplain(line, world));
    const loss = lossOfOutput();
    return loss === null || exitCode !== 0 ? exitCode : explain(new CommandError(loss), world);
  } catch (error) {
    return explain(error, world);
  }
}

async function runLineOrExplain(args: readonly string[], world: CommandWorld): Promise<number> {
  try {
    return await runLine(args, world);
  } catch (error) {
    return explain(error, world);
  }
}

/** Resolves to the exit code. */
async function runLine(args: readonly string[], world: CommandWorld): Promise<number> {
  if (isVersionFlag(args[0]) || args[0] === "version") return printVersion(world);
  const found = await findCommand(args);
  if (found.kind === "group") return await showGroup(found, world);
  const own = found.args.includes("--") ? found.args.slice(0, found.args.indexOf("--")) : found.args;
  if (own.some(isVersionFlag)) return printVersion(world);
  if (!own.some(isHelpFlag)) return await runByCitty(args, world);
  const { helpWidth, renderCommandHelp } = await import("./cli/help.ts");
  world.print(`${renderCommandHelp(found.command, helpWidth())}\n`);
  return 0;
}

async function runByCitty(args: readonly string[], world: CommandWorld): Promise<number> {
  const { defineCommand, runCommand } = await import("citty");
  // citty hands back nothing of what a subcommand returned, so the exit code comes out this way.
  let exitCode = 0;
  const toCitty = ({ name, summary, load }: Command) => {
    const meta = { name, description: summary };
    return async () => {
      const loaded = await load();
      if (isGroup(loaded)) return defineCommand({ meta, subCommands: toTree(loaded.commands) });
      return defineCommand({ meta, run: async ({ rawArgs }) => void (exitCode = await loaded.run(rawArgs, world)) });
    };
  };
  const toTree = (commands: readonly Command[]): SubCommandsDef =>
    Object.fromEntries(commands.map((command) => [command.name, toCitty(command)]));
  const root = defineCommand({ meta: { name: "modelrelay", version: VERSION }, subCommands: toTree(COMMANDS) });
  await runCommand(root, { rawArgs: [...args] });
  return exitCode;
}

/** Who asks for help gets it on the standard output; a command that is not named to its end is a question too, but a failure for scripts. */
async function showGroup({ group, isHelpAsked }: Found & { kind: "group" }, { print, tell }: CommandWorld): Promise<number> {
  const { helpWidth, renderGroupHelp } = await import("./cli/help.ts");
  (isHelpAsked ? print : tell)(`${renderGroupHelp(group, helpWidth())}\n`);
  return isHelpAsked ? 0 : EXIT_USAGE;
}

function printVersion(world: CommandWorld): number {
  world.print(`modelrelay ${VERSION} (${BUILD})\n`);
  return 0;
}

/** A mistake in how it was called, or what could not be done, is one line; anything else is a bug and shows where. */
function explain(error: unknown, { tell }: CommandWorld): number {
  if (error instanceof UsageError || error instanceof CommandError) {
    tell(`modelrelay: ${error.message}\n`);
    return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILURE;
  }
  tell(`modelrelay: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return EXIT_FAILURE;
}

function isVersionFlag(word: string | undefined): boolean {
  return word === "--version" || word === "-V";
}

/** Not in the help: what programs of other makers have in place of the command, and the only way under another name. */
function isCompletionsFlag(word: string | undefined): boolean {
  return word !== undefined && /^--completions(=|$)/.test(word);
}

const STANDARD_OUTPUT = 1;
const STANDARD_ERROR = 2;
const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

// Last, because everything above has to be there first.
process.exit(await main());
