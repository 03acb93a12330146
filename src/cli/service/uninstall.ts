// `modelrelay service uninstall`: stops a service and removes what install wrote, and nothing else.
import { CommandError } from "../../base/errors.ts";
import { planLaunchdUninstall } from "../../service/launchd.ts";
import { describeSteps, perform } from "../../service/perform.ts";
import { secretPaths } from "../../service/secret-files.ts";
import { nameOf, type Role, type ServiceId, type Step } from "../../service/service.ts";
import { planSystemdUninstall } from "../../service/systemd.ts";
import { planWindowsUninstall } from "../../service/windows.ts";
import type { CommandWorld } from "../commands.ts";
import type { OptionValues } from "../options/option.ts";
import type { Environment } from "../options/parse.ts";
import { definitionPath, isInstalled } from "./ask-manager.ts";
import { servicesElsewhere } from "./elsewhere.ts";
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
  await refuseUnknown(id, machine, env);
  await perform(steps, machine.run, tell);
  tell(`${nameOf(id, machine.manager)} is gone; its data stays where it is\n`);
  return 0;
}

function planUninstall(id: ServiceId, { manager, places }: Machine): readonly Step[] {
  if (manager === "systemd") return planSystemdUninstall(id, places);
  const fileFlags = Object.values(ROLE_OPTIONS[id.role]).flatMap(({ flag, kind }) => (kind.shape === "secret" ? [`${flag}-file`] : []));
  const secrets = secretPaths(places, nameOf(id, manager), fileFlags);
  return manager === "launchd" ? planLaunchdUninstall(id, places, secrets) : planWindowsUninstall(id, secrets);
}

async function refuseUnknown(id: ServiceId, machine: Machine, env: Environment): Promise<void> {
  if (await isInstalled(id, machine)) return;
  const path = definitionPath(id, machine);
  const elsewhere = (await servicesElsewhere(id, machine, env)).map((line) => `; ${line}`).join("");
  throw new CommandError(`${nameOf(id, machine.manager)} is not installed${path === null ? "" : `: there is no ${path}`}${elsewhere}`);
}
