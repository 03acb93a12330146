// Where else a service may be that was asked for and is not there: one of the user instead of the machine's, or one of another name.
import type { Role, ServiceId } from "../../service/service.ts";
import type { Environment } from "../options/parse.ts";
import { installedNames } from "./ask-manager.ts";
import { type Machine, thisMachine } from "./machine.ts";

/** One line for each place that has services of this role; none where there are none. */
export async function servicesElsewhere(id: ServiceId, asked: Machine, env: Environment): Promise<readonly string[]> {
  const here = (await installedNames(id.role, asked)).filter((name) => name !== id.name);
  // Windows has no services of users.
  const other = asked.manager === "windows" ? null : thisMachine(asked.places.scope === "system", env);
  const there = other === null ? [] : await installedNames(id.role, other);
  const flag = asked.places.scope === "system" ? "with --user" : "without --user";
  return [...describe(id.role, here, ""), ...describe(id.role, there, `${flag} `)];
}

/** As in `there is one with --user`, `there are work services named gpu0, gpu1: --name says which`. */
function describe(role: Role, names: readonly (string | null)[], where: string): readonly string[] {
  const named = names.filter((name) => name !== null);
  const lines = names.length > named.length ? [`${where}there is one without a name`] : [];
  if (named.length === 0) return lines;
  const which = named.length === 1 ? `is a ${role} service` : `are ${role} services`;
  return [...lines, `${where}there ${which} named ${named.join(", ")}: --name says which`];
}
