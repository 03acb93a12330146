// `modelrelay service install`: checks first, writes then, and starts last.
import { UsageError } from "../../base/errors.ts";
import { planLaunchdInstall } from "../../service/launchd.ts";
import { describeSteps, perform, refuseForeignFiles } from "../../service/perform.ts";
import { nameOf, type Role, type Service, type Step } from "../../service/service.ts";
import { planSystemdInstall } from "../../service/systemd.ts";
import { planWindowsInstall } from "../../service/windows.ts";
import type { CommandWorld } from "../commands.ts";
import { checkMachine, type Machine, thisMachine } from "./machine.ts";
import { programOfThis } from "./program.ts";
import { readInstallRequest } from "./request.ts";

export async function install(role: Role, args: readonly string[], { env, print, tell }: CommandWorld): Promise<number> {
  const { service: asked, choices } = readInstallRequest(role, args, { env, cwd: process.cwd(), program: [] });
  const machine = thisMachine(choices.user, env);
  const service = { ...asked, program: programOfThis(machine.places) };
  const steps = await planInstall(service, machine);
  if (choices.dryRun) {
    print(`${describeSteps(steps)}\n`);
    return 0;
  }
  await checkMachine(machine, env);
  if (!choices.force) refuseForeignFiles(steps);
  await perform(steps, machine.run, tell);
  const name = nameOf(service, machine.manager);
  const start = machine.places.scope === "user" ? "when you log in" : "with the machine";
  tell(`${name} is installed: it runs now, and starts ${start}\n`);
  for (const line of adviceFor(service, machine)) tell(`${line}\n`);
  return 0;
}

/** @throws UsageError when a secret was given in a way that would have it shown */
async function planInstall(service: Service, { manager, places, run }: Machine): Promise<readonly Step[]> {
  if (manager === "systemd") return planSystemdInstall(service, places);
  const homeless = service.secrets.find(({ fileFlag }) => fileFlag === null);
  if (homeless !== undefined) {
    const key = homeless.flag.replaceAll("-", "_");
    throw new UsageError(
      `--${homeless.flag}: put ${key} into a config file that only the service may read, and give --config PATH instead`,
    );
  }
  if (manager === "launchd") return planLaunchdInstall(service, places);
  const { code } = await run(["sc.exe", "query", nameOf(service, "windows")]);
  return planWindowsInstall(service, places, code === 0);
}

function adviceFor(service: Service, { manager, places }: Machine): readonly string[] {
  const name = service.name === null ? "" : ` --name ${service.name}`;
  const advice = [`to see how it is: modelrelay service status ${service.role}${name}${places.scope === "user" ? " --user" : ""}`];
  if (manager !== "systemd") return advice;
  if (places.scope === "user") {
    return [...advice, "to have it start with the machine, and run while you are logged out: loginctl enable-linger"];
  }
  const own = [
    ...service.writes,
    ...service.flags.filter((flag) => flag.startsWith("--tls-")).map((flag) => flag.slice(flag.indexOf("=") + 1)),
  ];
  return own.length === 0 ? advice : [...advice, `the user modelrelay needs access to ${own.join(", ")}`];
}
