// What this machine's service manager is asked of a service: how it stands, where it is defined, which others there are.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { launchdPrintCommand, logPath, plistPath } from "../../service/launchd.ts";
import { toShellCommand } from "../../service/quoting.ts";
import { nameOf, type Role, type ServiceId } from "../../service/service.ts";
import { type Standing, standingUnderLaunchd, standingUnderSystemd, standingUnderWindows } from "../../service/standing.ts";
import { systemdLogsCommand, systemdShowCommand, unitOf } from "../../service/systemd.ts";
import { keysBelow, SERVICES_KEY } from "../../service/windows-query.ts";
import type { Machine } from "./machine.ts";

/** Where the service is defined; null on Windows, whose manager keeps that to itself. */
export function definitionPath(id: ServiceId, { manager, places }: Pick<Machine, "manager" | "places">): string | null {
  if (manager === "windows") return null;
  return manager === "systemd" ? join(places.definitions, unitOf(id)) : plistPath(id, places);
}

export async function isInstalled(id: ServiceId, machine: Machine): Promise<boolean> {
  const path = definitionPath(id, machine);
  return path === null ? (await machine.ask(standingCommand(id, machine))).code === 0 : existsSync(path);
}

/** Of those installed: their names, null for the one without. */
export async function installedNames(role: Role, machine: Machine): Promise<readonly (string | null)[]> {
  const { manager, places } = machine;
  const ending = { systemd: ".service", launchd: ".plist", windows: "" }[manager];
  const files = manager === "windows" ? await servicesOfWindows(machine) : filesIn(places.definitions);
  const base = nameOf({ role, name: null }, manager);
  const before = nameOf({ role, name: "x" }, manager).slice(0, -1);
  const names = files
    .filter((file) => file.startsWith(before) && file.endsWith(ending))
    .map((file) => file.slice(before.length, file.length - ending.length))
    .filter((name) => /^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(name));
  return [...(files.includes(base + ending) ? [null] : []), ...names.toSorted()];
}

/** The question that standingOf asks. */
export function standingCommand(id: ServiceId, { manager, places }: Pick<Machine, "manager" | "places">): readonly string[] {
  if (manager === "systemd") return systemdShowCommand(id, places);
  return manager === "launchd" ? launchdPrintCommand(id, places) : ["sc.exe", "query", nameOf(id, "windows")];
}

export async function standingOf(id: ServiceId, machine: Machine): Promise<Standing> {
  const { code, out } = await machine.ask(standingCommand(id, machine));
  if (machine.manager === "systemd") return standingUnderSystemd(out);
  return machine.manager === "launchd" ? standingUnderLaunchd(code, out) : standingUnderWindows(code, out);
}

/** What to type to see what the service said last. */
export function logsCommand(id: ServiceId, { manager, places }: Pick<Machine, "manager" | "places">): string {
  if (manager === "systemd") return toShellCommand(systemdLogsCommand(id, places));
  if (manager === "launchd") return toShellCommand(["tail", "-n", "50", logPath(id, places)]);
  const source = nameOf({ role: id.role, name: null }, "windows");
  return `Get-WinEvent -FilterHashtable @{LogName='Application'; ProviderName='${source}'} -MaxEvents 50`;
}

function filesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

async function servicesOfWindows({ ask }: Machine): Promise<readonly string[]> {
  const { out } = await ask(["reg.exe", "query", SERVICES_KEY]);
  return keysBelow(SERVICES_KEY, out);
}
