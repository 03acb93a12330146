// From a command line of `service install` to the service it asks for, checked as that service itself would check it.
import { dirname, resolve } from "node:path";
import { UsageError } from "../../base/errors.ts";
import { quote } from "../../base/printable.ts";
import { isOneLine } from "../../service/quoting.ts";
import type { Role, Secret, Service } from "../../service/service.ts";
import { readFlags } from "../options/flags.ts";
import type { AnyOption, OptionTable, OptionValues, Origin } from "../options/option.ts";
import { type Environment, parseOptions } from "../options/parse.ts";
import { toServeConfig } from "../serve/config.ts";
import { SERVE_OPTIONS } from "../serve/options.ts";
import { toWorkConfig } from "../work/config.ts";
import { WORK_OPTIONS } from "../work/options.ts";
import { INSTALL_OPTIONS } from "./options.ts";

export const ROLE_OPTIONS = { serve: SERVE_OPTIONS, work: WORK_OPTIONS } as const;

export interface InstallRequest {
  readonly service: Service;
  readonly choices: OptionValues<typeof INSTALL_OPTIONS>;
}

interface RequestWorld {
  readonly env: Environment;
  /** Relative paths are meant from here. */
  readonly cwd: string;
  readonly program: readonly string[];
}

/** @throws UsageError for whatever the service would refuse to start with */
export function readInstallRequest(role: Role, args: readonly string[], { env, cwd, program }: RequestWorld): InstallRequest {
  const table: OptionTable = ROLE_OPTIONS[role];
  const command = `service install ${role}`;
  const given = readFlags(command, { ...table, ...INSTALL_OPTIONS }, args);
  const toFlags = (of: OptionTable) =>
    [...given].flatMap(([key, { text }]) => (Object.hasOwn(of, key) ? [`--${of[key]!.flag}=${text}`] : []));
  const choices = parseOptions(command, INSTALL_OPTIONS, toFlags(INSTALL_OPTIONS), {}).values;
  const roleFlags = toFlags(table);
  const origins: Readonly<Record<string, Origin>> = parseOptions(role, table, roleFlags, env).origins;
  const drainTimeoutMs = checkRole(role, roleFlags, env);

  const flags: string[] = [];
  const secrets: Secret[] = [];
  const inputs = new Map<string, string>();
  const writes: string[] = [];
  for (const [key, option] of Object.entries(table)) {
    const origin = origins[key]!;
    // What is in a config file stays there.
    const text = origin.kind === "flag" ? given.get(key)!.text : origin.kind === "variable" ? env[origin.name]!.trim() : null;
    if (text === null) continue;
    if (!isOneLine(text)) throw new UsageError(`--${option.flag}: ${quote(text)} has a character that no service's definition can hold`);
    if (option.kind.shape === "secret") {
      secrets.push({ flag: option.flag, variable: option.variables[0]!, fileFlag: fileFlagOf(option, table), value: text });
      continue;
    }
    const value = isPath(option, text) ? resolve(cwd, text) : text;
    flags.push(`--${option.flag}=${value}`);
    if (!isPath(option, text)) continue;
    if (option.flag === "config" || (option.flag.endsWith("-file") && option.flag !== "log-file")) inputs.set(option.flag, value);
    if (option.flag === "data-dir") writes.push(value);
    if (option.flag === "log-file") writes.push(dirname(value));
  }
  // Variables are read more leniently than flags; what has become a flag must not be what the service refuses.
  parseOptions(role, table, flags, {});
  return { service: { role, name: choices.name, program, flags, inputs, writes, secrets, drainTimeoutMs }, choices };
}

/** Everything but the ports and the store is judged here, as at a start. Returns the drain time-out. */
function checkRole(role: Role, flags: readonly string[], env: Environment): number {
  if (role === "work") return toWorkConfig(parseOptions("work", WORK_OPTIONS, flags, env)).drainTimeoutMs;
  return toServeConfig(parseOptions("serve", SERVE_OPTIONS, flags, env)).drainTimeoutMs;
}

function isPath(option: AnyOption, text: string): boolean {
  return option.kind.hint === "path" && text !== ":memory:";
}

function fileFlagOf({ flag }: AnyOption, table: OptionTable): string | null {
  const fileFlag = `${flag}-file`;
  return Object.values(table).some((option) => option.flag === fileFlag) ? fileFlag : null;
}
