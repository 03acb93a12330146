// `modelrelay service uninstall`: stops a service and removes what install wrote, and nothing else.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { CommandError } from "../../base/errors.ts";
import { planLaunchdUninstall, plistPath } from "../../service/launchd.ts";
import { describeSteps, perform } from "../../service/perform.ts";
import { secretPaths } from "../../service/secret-files.ts";
import { nameOf, type Role, type ServiceId, type Step } from "../../service/service.ts";
import { planSystemdUninstall, unitOf } from "../../service/systemd.ts";
import { planWindowsUninstall } from "../../service/windows.ts";
import type { CommandWorld } from "../commands.ts";
import type { OptionValues } from "../options/option.ts";
import { checkMachine, type Machine, thisMachine } from "./machine.ts";
import type { CHANGE_OPTIONS } from "./options.ts";
import { ROLE_OPTIONS } from "./request.ts";

type Choices = OptionValues<typeof CHANGE_OPTIONS>;

export async function uninstall(role: Role, choices: Choices, { env, print, tell }: CommandWorld): Promise<number> {
  const machine = thisMachine(choices.user, env);
  const id = { role, name: choices.name };
  const steps = planUninstall(id, machine);
  if (choices.dryRun) {
    print(`${describeSteps(steps)}\n`);
    return 0;
  }
  await checkMachine(machine, env);
  await refuseUnknown(id, machine);
  await perform(steps, machine.run, tell);
  tell(`${nameOf(id, machine.manager)} is gone; its data stays where it is\n`);
  return 0;
}

/** Where the service is defined; null on Windows, whose manager keeps that to itself. */
export function definitionPath(id: ServiceId, { manager, places }: Machine): string | null {
  if (manager === "windows") return null;
  return manager === "systemd" ? join(places.definitions, unitOf(id)) : plistPath(id, places);
}

function planUninstall(id: ServiceId, { manager, places }: Machine): readonly Step[] {
  if (manager === "systemd") return planSystemdUninstall(id, places);
  const fileFlags = Object.values(ROLE_OPTIONS[id.role]).flatMap(({ flag, kind }) => (kind.shape === "secret" ? [`${flag}-file`] : []));
  const secrets = secretPaths(places, nameOf(id, manager), fileFlags);
  return manager === "launchd" ? planLaunchdUninstall(id, places, secrets) : planWindowsUninstall(id, secrets);
}

async function refuseUnknown(id: ServiceId, machine: Machine): Promise<void> {
  const path = definitionPath(id, machine);
  const name = nameOf(id, machine.manager);
  const isThere = path === null ? (await machine.ask(["sc.exe", "query", name])).code === 0 : existsSync(path);
  if (!isThere) throw new CommandError(`${name} is not installed${path === null ? "" : `: there is no ${path}`}`);
}
