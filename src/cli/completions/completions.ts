// `modelrelay completions`: prints what makes a shell complete the program's commands, flags and values.
import { UsageError } from "../../base/errors.ts";
import { type CommandBody, type CommandWorld, isGroup } from "../command.ts";
import { COMMANDS } from "../commands.ts";
import { parseCommandLine } from "../options/words.ts";
import { type Plan, planOfCommand, planOfProgram } from "./plan.ts";
import { SHELLS, writeScript } from "./shells.ts";

const LINE = {
  options: {},
  words: [{ name: "SHELL", help: `One of ${SHELLS.join(", ")}.`, isNeeded: true, isMany: false, choices: SHELLS }],
};

export const completions: CommandBody = {
  ...LINE,
  run: async (args, world) => await printScript("modelrelay", args, world),
};

/** `modelrelay-server --completions bash` prints the script for the name the program was called by. `args` begins with the flag. */
export async function answerCompletionsFlag(named: "serve" | "work" | null, args: readonly string[], world: CommandWorld): Promise<number> {
  const [flag = "", ...rest] = args;
  const [, inline] = /=(.*)$/s.exec(flag) ?? [];
  const program = named === null ? "modelrelay" : NAMES[named];
  return await printScript(program, inline === undefined ? rest : [inline, ...rest], world);
}

type ProgramName = "modelrelay" | (typeof NAMES)[keyof typeof NAMES];

const NAMES = { serve: "modelrelay-server", work: "modelrelay-worker" } as const;

/** @throws UsageError that says which shells there are */
async function printScript(program: ProgramName, args: readonly string[], { env, print }: CommandWorld): Promise<number> {
  const { words } = parseCommandLine("completions", LINE, args, env);
  const shell = SHELLS.find((name) => name === words[0]);
  if (shell === undefined) throw new UsageError(`completions needs SHELL: ${LINE.words[0]!.help}`);
  print(writeScript(shell, await planOf(program)));
  return 0;
}

async function planOf(program: ProgramName): Promise<Plan> {
  if (program === "modelrelay") return await planOfProgram(program, COMMANDS);
  const command = COMMANDS.find(({ name }) => name === (program === NAMES.serve ? "serve" : "work"))!;
  const body = await command.load();
  if (isGroup(body)) throw new Error(`${command.name} is a group`);
  return planOfCommand(program, body);
}
