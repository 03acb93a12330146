// `modelrelay service uninstall`: stops a service and removes what install wrote, and nothing else.
import { CommandError } from "../../base/errors.ts";
import { launchdStopCommand, planLaunchdUninstall } from "../../service/launchd.ts";
import { describeSteps, hasMark, perform } from "../../service/perform.ts";
import { toShellCommand } from "../../service/quoting.ts";
import { nameOf, type Role, type ServiceId, type Step } from "../../service/service.ts";
import { planSystemdUninstall, systemdStopCommand } from "../../service/systemd.ts";
import { planWindowsUninstall } from "../../service/windows.ts";
import type { CommandWorld } from "../command.ts";
import type { OptionValues } from "../options/option.ts";
import type { Environment } from "../options/parse.ts";
import { definitionPath, installedNames, isInstalled } from "./ask-manager.ts";
import { servicesElsewhere } from "./elsewhere.ts";
import { checkMachine, type Machine, thisMachine } from "./machine.ts";
import type { CHANGE_OPTIONS } from "./options.ts";

type Choices = OptionValues<typeof CHANGE_OPTIONS>;

export async function uninstall(role: Role, choices: Choices, { env, clock, print, tell }: CommandWorld): Promise<number> {
  const machine = thisMachine(choices.user, env);
  const id = { role, name: choices.name };
  const steps = await planUninstall(id, machine);
  if (choices.dryRun) {
    print(`${describeSteps(steps)}\n`);
    return 0;
  }
  await checkMachine(machine, env);
  await refuseUnknown(id, machine, env);
  refuseForeign(id, machine);
  await perform(steps, { run: machine.run, clock, tell });
  tell(`${nameOf(id, machine.manager)} is gone; its data stays where it is\n`);
  return 0;
}

async function planUninstall(id: ServiceId, machine: Machine): Promise<readonly Step[]> {
  const { manager, places } = machine;
  if (manager === "systemd") return planSystemdUninstall(id, places);
  if (manager === "launchd") return planLaunchdUninstall(id, places);
  const names = await installedNames(id.role, machine);
  const isLast = names.every((name) => name === id.name);
  return planWindowsUninstall(id, places, isLast);
}

/** A service that somebody made by hand is somebody's: it is not even stopped. Windows has no file to look at. */
function refuseForeign(id: ServiceId, { manager, places }: Machine): void {
  const path = definitionPath(id, { manager, places });
  if (path === null || hasMark(path)) return;
  const stop = manager === "systemd" ? systemdStopCommand(id, places) : launchdStopCommand(id, places);
  throw new CommandError(
    `${path} was not written by this command, so it is left alone. To stop the service: ${toShellCommand(stop)}; then remove the file`,
  );
}

async function refuseUnknown(id: ServiceId, machine: Machine, env: Environment): Promise<void> {
  if (await isInstalled(id, machine)) return;
  const path = definitionPath(id, machine);
  const elsewhere = (await servicesElsewhere(id, machine, env)).map((line) => `; ${line}`).join("");
  throw new CommandError(`${nameOf(id, machine.manager)} is not installed${path === null ? "" : `: there is no ${path}`}${elsewhere}`);
}
