#!/usr/bin/env bun
// The program's entry: finds the command, runs it, and is the only place that ends the process.
import type { SubCommandsDef } from "citty";
import { systemClock } from "./base/clock.ts";
import { UsageError } from "./base/errors.ts";
import { VERSION } from "./base/version.ts";
import { COMMANDS, type Command, type CommandWorld } from "./cli/commands.ts";
import { commandOfName } from "./cli/invoked-name.ts";
import { writeNow } from "./cli/write-now.ts";

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  const script = Bun.isStandaloneExecutable ? null : (process.argv[1] ?? null);
  const named = commandOfName({ argv0: process.argv0, execPath: process.execPath, script });
  try {
    return await runRoot(named !== null && !isCommand(args[0]) ? [named, ...args] : args);
  } catch (error) {
    return explain(error);
  }
}

/** Resolves to the exit code. */
async function runRoot(args: readonly string[]): Promise<number> {
  const world: CommandWorld = { env: process.env, clock: systemClock, print: (text) => writeNow(STANDARD_OUTPUT, text) };
  const [name, ...rest] = args;
  const isVersionAsked = isVersionFlag(name) || (isCommand(name) && rest.some(isVersionFlag));
  if (isVersionAsked) return printVersion(world);
  if (!isCommand(name)) return await refuseOrHelp(name, world);

  const { defineCommand, runCommand } = await import("citty");
  // citty hands back nothing of what a subcommand returned, so the exit code comes out this way.
  let exitCode = 0;
  const toCitty = (command: Command) => () =>
    defineCommand({
      meta: { name: command.name, description: command.summary },
      run: async ({ rawArgs }) => void (exitCode = await runBody(command, rawArgs, world)),
    });
  const subCommands: SubCommandsDef = Object.fromEntries(COMMANDS.map((command) => [command.name, toCitty(command)]));
  const root = defineCommand({ meta: { name: "modelrelay", version: VERSION }, subCommands });
  await runCommand(root, { rawArgs: [...args] });
  return exitCode;
}

async function runBody(command: Command, args: readonly string[], world: CommandWorld): Promise<number> {
  const body = await command.load();
  if (!args.some(isHelpFlag)) return await body.run(args, world);
  const { renderCommandHelp } = await import("./cli/help.ts");
  world.print(`${renderCommandHelp(command.name, command.summary, body.options)}\n`);
  return 0;
}

/** `--help` and `help` get it on the standard output; no command at all is a question too, but a failure for scripts. */
async function refuseOrHelp(word: string | undefined, world: CommandWorld): Promise<number> {
  const { renderRootHelp } = await import("./cli/help.ts");
  if (word === undefined || isHelpFlag(word) || word === "help") {
    if (word === undefined) writeNow(STANDARD_ERROR, `${renderRootHelp(COMMANDS)}\n`);
    else world.print(`${renderRootHelp(COMMANDS)}\n`);
    return word === undefined ? EXIT_USAGE : 0;
  }
  const [{ didYouMean }, { printable }] = await Promise.all([import("./cli/options/suggest.ts"), import("./base/printable.ts")]);
  const names = COMMANDS.map((command) => command.name);
  throw new UsageError(`unknown command ${printable(word)}${didYouMean(word, names)} The commands are ${names.join(", ")}`);
}

function printVersion(world: CommandWorld): number {
  world.print(`modelrelay ${VERSION}\n`);
  return 0;
}

/** A mistake in how it was called is one line; anything else is a bug and shows where. */
function explain(error: unknown): number {
  if (error instanceof UsageError) {
    writeNow(STANDARD_ERROR, `modelrelay: ${error.message}\n`);
    return EXIT_USAGE;
  }
  writeNow(STANDARD_ERROR, `modelrelay: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return EXIT_FAILURE;
}

function isCommand(word: string | undefined): boolean {
  return COMMANDS.some((command) => command.name === word);
}

function isHelpFlag(word: string): boolean {
  return word === "--help" || word === "-h";
}

function isVersionFlag(word: string | undefined): boolean {
  return word === "--version" || word === "-V";
}

const STANDARD_OUTPUT = 1;
const STANDARD_ERROR = 2;
const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

// Last, because everything above has to be there first.
process.exit(await main());
