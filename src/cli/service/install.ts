// `modelrelay service install`: checks first, writes then, and starts last.
import { unreachable } from "../../base/assert.ts";
import type { Clock } from "../../base/clock.ts";
import { CommandError, UsageError } from "../../base/errors.ts";
import { planLaunchdInstall } from "../../service/launchd.ts";
import { describeSteps, perform, refuseForeignFiles } from "../../service/perform.ts";
import { toShellCommand } from "../../service/quoting.ts";
import { isReadableByAll } from "../../service/reach.ts";
import { nameOf, type Role, type Service, type Step } from "../../service/service.ts";
import { WATCHED_MS, watchStart } from "../../service/standing.ts";
import { planSystemdInstall, unitOf } from "../../service/systemd.ts";
import { planWindowsInstall } from "../../service/windows.ts";
import type { CommandWorld } from "../command.ts";
import { logsCommand, standingCommand, standingOf } from "./ask-manager.ts";
import { checkMachine, checkSystemdVersion, type Machine, thisMachine } from "./machine.ts";
import { programOfThis } from "./program.ts";
import { readInstallRequest } from "./request.ts";

export async function install(role: Role, args: readonly string[], { env, clock, print, tell }: CommandWorld): Promise<number> {
  const { service: asked, choices } = readInstallRequest(role, args, { env, cwd: process.cwd(), program: [], isReadableByAll });
  const machine = thisMachine(choices.user, env);
  const service = { ...asked, program: programOfThis(machine.places) };
  const steps = await planInstall(service, machine);
  if (choices.dryRun) {
    const question = toShellCommand(standingCommand(service, machine));
    print(`${describeSteps(steps)}\n# ask for ${WATCHED_MS / 1000} s whether it stays up\n${question}\n`);
    return 0;
  }
  await checkMachine(machine, env);
  if (machine.manager === "systemd" && machine.places.scope === "system") await checkSystemdVersion(machine.ask);
  if (!choices.force) refuseForeignFiles(steps);
  await perform(steps, { run: machine.run, clock, tell });
  // First of all: without it the service may not come up.
  for (const line of needsOf(service, machine)) tell(`${line}\n`);
  const now = await sayHowItStands(service, machine, clock);
  const start = machine.places.scope === "user" ? "when you log in" : "with the machine";
  tell(`${nameOf(service, machine.manager)} is installed: it ${now}, and starts ${start}\n`);
  for (const line of adviceFor(service, machine)) tell(`${line}\n`);
  return 0;
}

/** @throws UsageError when a secret was given in a way that would have it shown */
async function planInstall(service: Service, { manager, places, ask }: Machine): Promise<readonly Step[]> {
  if (manager === "systemd") return planSystemdInstall(service, places);
  const homeless = service.secrets.find(({ fileFlag }) => fileFlag === null);
  if (homeless !== undefined) {
    const key = homeless.flag.replaceAll("-", "_");
    throw new UsageError(
      `--${homeless.flag}: put ${key} into a config file that only the service may read, and give --config PATH instead`,
    );
  }
  if (manager === "launchd") return planLaunchdInstall(service, places);
  const { code } = await ask(["sc.exe", "query", nameOf(service, "windows")]);
  return planWindowsInstall(service, places, code === 0);
}

/** @throws CommandError when it was started and is gone again */
async function sayHowItStands(service: Service, machine: Machine, clock: Clock): Promise<string> {
  const standing = await watchStart(async () => await standingOf(service, machine), clock);
  switch (standing.kind) {
    case "up":
      return "runs now";
    case "starting":
      return "is still starting";
    case "unknown":
      return "was started";
    case "down": {
      const name = nameOf(service, machine.manager);
      const why = LIKELY.get(standing.end) ?? "";
      throw new CommandError(
        `${name} is installed and was started, but ended with ${standing.end}${why}. Its last words: ${logsCommand(service, machine)}`,
      );
    }
  }
  return unreachable(standing);
}

function adviceFor(service: Service, { manager, places }: Machine): readonly string[] {
  const name = service.name === null ? "" : ` --name ${service.name}`;
  const advice = [`to see how it is: modelrelay service status ${service.role}${name}${places.scope === "user" ? " --user" : ""}`];
  if (manager !== "systemd") return advice;
  if (places.scope === "user") {
    return [...advice, "to have it start with the machine, and run while you are logged out: loginctl enable-linger"];
  }
  if (!service.inputs.has("tls-key")) return advice;
  return [
    ...advice,
    `certificate and key are not for everybody to read, so systemd hands them over at each start: after a renewal, systemctl restart ${unitOf(service)}`,
  ];
}

/** What no definition can give a service that runs as a user of its own. */
function needsOf(service: Service, { manager, places }: Machine): readonly string[] {
  if (manager !== "systemd" || places.scope === "user" || service.writes.length === 0) return [];
  return [`the user modelrelay needs to be able to write to ${service.writes.join(", ")}`];
}

const LIKELY = new Map([
  ["exit code 1", ", as when its address is in use"],
  ["exit code 2", ", as with a setting that is refused"],
]);
