// Turns flags, variables and the config file into one checked set of values: flag > variable > file > default.
import { UsageError } from "../../base/errors.ts";
import { readConfigFile } from "./config-file.ts";
import { readFlags } from "./flags.ts";
import { describeOrigin, type AnyOption, type GivenText, type OptionTable, type OptionValues, type Origin } from "./option.ts";
import { quote } from "../../base/printable.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Parsed<T extends OptionTable> {
  readonly values: OptionValues<T>;
  readonly origins: { readonly [K in keyof T]: Origin };
}

/** @throws UsageError naming what is wrong, where it stands and what is allowed. */
export function parseOptions<T extends OptionTable>(command: string, table: T, args: readonly string[], env: Environment): Parsed<T> {
  const flags = readFlags(command, table, args);
  const configPath = flags.get("config")?.text ?? readVariable(table["config"], env)?.text ?? null;
  const file = configPath === null ? new Map<string, GivenText>() : readConfigFile(command, table, configPath);

  const values: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  for (const [key, option] of Object.entries(table)) {
    const picked =
      parseForgiving(option, option.overridingVariables, env) ??
      parseGiven(option, flags.get(key)) ??
      parseVariable(option, env) ??
      parseGiven(option, file.get(key));
    values[key] = picked === null ? option.fallback : picked.value;
    origins[key] = picked === null ? { kind: "default" } : picked.origin;
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the loop fills the table's keys, each by its own option's kind
  return { values, origins } as Parsed<T>;
}

interface Picked {
  readonly value: unknown;
  readonly origin: Origin;
}

function parseVariable(option: AnyOption, env: Environment): Picked | null {
  if (option.kind.parseForgiving !== undefined) return parseForgiving(option, option.variables, env);
  return parseGiven(option, readVariable(option, env));
}

function parseGiven(option: AnyOption, given: GivenText | undefined): Picked | null {
  if (given === undefined) return null;
  const outcome = option.kind.parse(given.text);
  if (outcome.ok) return { value: outcome.value, origin: given.origin };
  const where = describeOrigin(given.origin);
  const shown = option.kind.shape === "secret" ? "the value" : quote(withoutPassword(given.text));
  const advice = outcome.advice === undefined ? "" : `; ${outcome.advice}`;
  throw new UsageError(`${where}: ${shown} is not ${option.kind.expects}${advice}`);
}

/** The first of the variables that holds something the option understands. */
function parseForgiving(option: AnyOption, names: readonly string[], env: Environment): Picked | null {
  for (const name of names) {
    const value: unknown = option.kind.parseForgiving?.(env[name] ?? "") ?? null;
    if (value !== null) return { value, origin: { kind: "variable", name } };
  }
  return null;
}

/** An empty variable counts as unset: that is how compose files and unit files leave one out. */
function readVariable(option: AnyOption | undefined, env: Environment): GivenText | undefined {
  for (const name of option?.variables ?? []) {
    const text = env[name];
    if (text !== undefined && text.trim() !== "") return { text, origin: { kind: "variable", name } };
  }
  return undefined;
}

function withoutPassword(text: string): string {
  return text.replace(/\/\/[^/]*@/, "//...@");
}
