// The shells there are completions for. Each script is static, so that Tab starts no process: docs/decisions/0011-static-completions.md.
import { toBash } from "./bash.ts";
import { toElvish } from "./elvish.ts";
import { toFish } from "./fish.ts";
import type { Plan } from "./plan.ts";
import { toPowerShell } from "./powershell.ts";
import { toZsh } from "./zsh.ts";

export const SHELLS = ["bash", "zsh", "fish", "powershell", "elvish"] as const;

export type Shell = (typeof SHELLS)[number];

export function writeScript(shell: Shell, plan: Plan): string {
  return WRITERS[shell](plan);
}

const WRITERS: Readonly<Record<Shell, (plan: Plan) => string>> = {
  bash: toBash,
  zsh: toZsh,
  fish: toFish,
  powershell: toPowerShell,
  elvish: toElvish,
};
