// `modelrelay service status`: whether a service is installed, enabled and running, and where its log is.
import { existsSync } from "node:fs";
import { launchdPrintCommand } from "../../service/launchd.ts";
import { nameOf, type Role, type ServiceId } from "../../service/service.ts";
import { systemctlOf, unitOf } from "../../service/systemd.ts";
import { numbersOf } from "../../service/windows-query.ts";
import type { CommandWorld } from "../command.ts";
import type { OptionValues } from "../options/option.ts";
import { definitionPath, logsCommand } from "./ask-manager.ts";
import { servicesElsewhere } from "./elsewhere.ts";
import { checkSystemd, type Machine, thisMachine } from "./machine.ts";
import type { SERVICE_OPTIONS } from "./options.ts";

interface State {
  readonly isInstalled: boolean;
  /** In the manager's own words. */
  readonly enabled: string;
  readonly running: string;
  readonly isRunning: boolean;
}

export async function showService(
  role: Role,
  choices: OptionValues<typeof SERVICE_OPTIONS>,
  { env, print, tell }: CommandWorld,
): Promise<number> {
  const machine = thisMachine(choices.user, env);
  const id = { role, name: choices.name };
  const { isInstalled, enabled, running, isRunning } = await stateOf(id, machine);
  const path = definitionPath(id, machine);
  print(
    `${[
      `service    ${nameOf(id, machine.manager)}`,
      `installed  ${isInstalled ? `yes${path === null ? "" : `, ${path}`}` : "no"}`,
      `enabled    ${enabled}`,
      `running    ${running}`,
      `log        ${logsCommand(id, machine)}`,
    ].join("\n")}\n`,
  );
  if (!isInstalled) for (const line of await servicesElsewhere(id, machine, env)) tell(`${line}\n`);
  return isRunning ? 0 : 1;
}

async function stateOf(id: ServiceId, machine: Machine): Promise<State> {
  if (machine.manager === "systemd") return await stateUnderSystemd(id, machine);
  return machine.manager === "launchd" ? await stateUnderLaunchd(id, machine) : await stateUnderWindows(id, machine);
}

async function stateUnderSystemd(id: ServiceId, machine: Machine): Promise<State> {
  await checkSystemd(machine.places.scope, machine.ask);
  const isInstalled = existsSync(definitionPath(id, machine) ?? "");
  const ask = async (verb: string): Promise<string> => {
    const { out, err } = await machine.ask([...systemctlOf(machine.places), verb, unitOf(id)]);
    // Of a unit that is not there systemctl says so, as of a failure.
    return firstLine(out) ?? (isInstalled ? `unknown (${firstLine(err) ?? "systemctl does not say"})` : "no");
  };
  const [enabled, running] = [await ask("is-enabled"), await ask("is-active")];
  return { isInstalled, enabled, running, isRunning: running === "active" };
}

async function stateUnderLaunchd(id: ServiceId, machine: Machine): Promise<State> {
  const { code, out } = await machine.ask(launchdPrintCommand(id, machine.places));
  const state = /^\s*state = (.+)$/m.exec(out)?.[1] ?? "not loaded";
  const isInstalled = existsSync(definitionPath(id, machine) ?? "");
  return { isInstalled, enabled: code === 0 ? "yes" : "no", running: state, isRunning: state === "running" };
}

export async function stateUnderWindows(id: ServiceId, { ask }: Machine): Promise<State> {
  const name = nameOf(id, "windows");
  const [config, query] = [await ask(["sc.exe", "qc", name]), await ask(["sc.exe", "query", name])];
  const isInstalled = query.code === 0;
  const [, start = ""] = config.code === 0 ? numbersOf(config.out) : [];
  const [, state = ""] = isInstalled ? numbersOf(query.out) : [];
  const nothing = isInstalled ? "unknown" : "no";
  const running = WINDOWS_STATES.get(state) ?? nothing;
  return { isInstalled, enabled: WINDOWS_START_TYPES.get(start) ?? nothing, running, isRunning: running === "running" };
}

// As sc.exe calls them; what it says itself may be in another language.
const WINDOWS_STATES = new Map([
  ["1", "stopped"],
  ["2", "start_pending"],
  ["3", "stop_pending"],
  ["4", "running"],
  ["5", "continue_pending"],
  ["6", "pause_pending"],
  ["7", "paused"],
]);
const WINDOWS_START_TYPES = new Map([
  ["2", "auto_start"],
  ["3", "demand_start"],
  ["4", "disabled"],
]);

function firstLine(text: string): string | null {
  const line = text.trim().split("\n")[0] ?? "";
  return line === "" ? null : line;
}
