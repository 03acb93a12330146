// From a command line of `service install` to the service it asks for, checked as that service itself would check it.
import { dirname, resolve } from "node:path";
import { UsageError } from "../../base/errors.ts";
import { quote } from "../../base/printable.ts";
import { isOneLine } from "../../service/quoting.ts";
import type { Role, Secret, Service } from "../../service/service.ts";
import { readFlags } from "../options/flags.ts";
import type { AnyOption, OptionTable, OptionValues } from "../options/option.ts";
import { type Environment, parseOptions } from "../options/parse.ts";
import { isStronger } from "../options/secrets.ts";
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
  /** Whether the user of a service, who is nobody in particular, can read a file where it lies. */
  readonly isReadableByAll: (path: string) => boolean;
}

/** @throws UsageError for whatever the service would refuse to start with */
export function readInstallRequest(role: Role, args: readonly string[], world: RequestWorld): InstallRequest {
  const { env, cwd, program } = world;
  const table: OptionTable = ROLE_OPTIONS[role];
  const command = `service install ${role}`;
  const given = readFlags(command, { ...table, ...INSTALL_OPTIONS }, args);
  const toFlags = (of: OptionTable) =>
    [...given].flatMap(([key, { text }]) => (Object.hasOwn(of, key) ? [`--${of[key]!.flag}=${text}`] : []));
  const choices = parseOptions(command, INSTALL_OPTIONS, toFlags(INSTALL_OPTIONS), {}).values;
  const roleFlags = toFlags(table);
  const checked = checkRole(role, roleFlags, env);

  const flags: string[] = [];
  const secrets: Secret[] = [];
  const paths = new Map<string, string>();
  for (const { option, text } of handedOn(role, withName(role, roleFlags, choices.name, env), env)) {
    if (!isOneLine(text)) throw new UsageError(`--${option.flag}: ${quote(text)} has a character that no service's definition can hold`);
    if (option.kind.shape === "secret") {
      secrets.push({ flag: option.flag, variable: option.variables[0]!, fileFlag: fileFlagOf(option, table), value: text });
      continue;
    }
    const value = isPath(option, text) ? resolve(cwd, text) : text;
    flags.push(`--${option.flag}=${value}`);
    if (isPath(option, text)) paths.set(option.flag, value);
  }
  // Variables are read more leniently than flags; what has become a flag must not be what the service refuses.
  parseOptions(role, table, flags, {});
  return { service: { role, name: choices.name, program, flags, ...roomOf(paths, world), secrets, ...checked }, choices };
}

/** Of several workers each is called as its service is, unless it is given a name of its own. */
function withName(role: Role, flags: readonly string[], name: string | null, env: Environment): readonly string[] {
  if (role === "serve" || name === null) return flags;
  return parseOptions("work", WORK_OPTIONS, flags, env).origins.workerName.kind === "default" ? [...flags, `--worker-name=${name}`] : flags;
}

interface HandedOn {
  readonly option: AnyOption;
  readonly text: string;
}

/**
 * What the service is told in flags and secrets:
 * 1. not the weaker of a secret and the file of it: together they would be refused
 * 2. flags  3. variables  4. of a config file its paths, for which the definition has to make room; everything else stays there
 */
function handedOn(role: Role, flags: readonly string[], env: Environment): readonly HandedOn[] {
  const table: OptionTable = ROLE_OPTIONS[role];
  const { values, origins } = parseOptions(role, table, flags, env);
  const texts = readFlags(role, table, flags);
  return Object.entries(table).flatMap(([key, option]): readonly HandedOn[] => {
    const origin = origins[key]!;
    const partner = partnerOf(option, table);
    if (partner !== null && isStronger(origins[partner]!, origin)) return []; // (1)
    if (origin.kind === "flag") return [{ option, text: texts.get(key)!.text }]; // (2)
    if (origin.kind === "variable") return [{ option, text: env[origin.name]!.trim() }]; // (3)
    const value: unknown = values[key];
    return origin.kind === "file" && typeof value === "string" && isPath(option, value) ? [{ option, text: value }] : []; // (4)
  });
}

/** From the paths a service is told: the files it only reads at its start, and the directories it writes to. */
function roomOf(paths: ReadonlyMap<string, string>, { isReadableByAll }: RequestWorld): Pick<Service, "inputs" | "writes"> {
  const [dataDir, logFile] = [paths.get("data-dir"), paths.get("log-file")];
  const isClosed = (flag: string) => paths.has(flag) && !isReadableByAll(paths.get(flag)!);
  // A certificate that everybody may read stays where it is, where a renewed one is taken up at once. It and its key go together.
  const certificate = isClosed("tls-cert") || isClosed("tls-key") ? ["tls-cert", "tls-key"] : [];
  const handedOver = [...paths.keys()].filter(
    (flag) =>
      flag === "config" ||
      (flag.endsWith("-file") && flag !== "log-file") ||
      (flag === "tls-ca" && isClosed(flag)) ||
      certificate.includes(flag),
  );
  return {
    inputs: new Map(handedOver.map((flag) => [flag, paths.get(flag)!])),
    writes: [...(dataDir === undefined ? [] : [dataDir]), ...(logFile === undefined ? [] : [dirname(logFile)])],
  };
}

/** Everything but the ports and the store is judged here, as at a start. */
function checkRole(role: Role, flags: readonly string[], env: Environment): Pick<Service, "drainTimeoutMs" | "port"> {
  if (role === "work") return { drainTimeoutMs: toWorkConfig(parseOptions("work", WORK_OPTIONS, flags, env)).drainTimeoutMs, port: null };
  const { drainTimeoutMs, listen } = toServeConfig(parseOptions("serve", SERVE_OPTIONS, flags, env));
  return { drainTimeoutMs, port: listen.port };
}

function isPath(option: AnyOption, text: string): boolean {
  return option.kind.hint === "path" && text !== ":memory:";
}

function fileFlagOf({ flag }: AnyOption, table: OptionTable): string | null {
  const fileFlag = `${flag}-file`;
  return Object.values(table).some((option) => option.flag === fileFlag) ? fileFlag : null;
}

/** Of a secret the option for its file, of that the one for the secret: their key in the table. */
function partnerOf({ flag, kind }: AnyOption, table: OptionTable): string | null {
  const partner = kind.shape === "secret" ? `${flag}-file` : flag.replace(/-file$/, "");
  if (partner === flag) return null;
  return Object.entries(table).find(([, option]) => option.flag === partner)?.[0] ?? null;
}
