// What there is to complete under one name of the program. The generators read this and nothing else, so that every shell knows the same.
import { type Command, type CommandBody, isGroup } from "../command.ts";
import type { AnyOption } from "../options/option.ts";

export interface Plan {
  /** The name that is typed. */
  readonly program: string;
  /** The program itself first, then what its commands lead to. */
  readonly places: readonly Place[];
}

/** Where a line stands after the words that name its command. */
export type Place = GroupPlace | CommandPlace;

interface PlaceBase {
  /** The words that lead here; none for the program itself. */
  readonly path: readonly string[];
  readonly flags: readonly Flag[];
}

export interface GroupPlace extends PlaceBase {
  readonly kind: "group";
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
}

export interface CommandPlace extends PlaceBase {
  readonly kind: "command";
  readonly words: readonly Word[];
}

export interface Flag {
  /** With its dashes. */
  readonly name: string;
  readonly help: string;
  readonly isRepeatable: boolean;
  /** Pointless once one of these is on the line; itself among them unless it may be repeated. */
  readonly endedBy: readonly string[];
  readonly value: Value;
}

/**
 * What a flag or a word may be. `none`: a flag without a value. `switch`: a flag whose value stands behind `=`, if anywhere.
 * `any`: a value nobody can guess.
 */
export type Value =
  | { readonly kind: "none" }
  | { readonly kind: "any" | "path"; readonly hint: string }
  | { readonly kind: "switch" | "words"; readonly hint: string; readonly words: readonly string[] };

export interface Word {
  readonly value: Value;
  readonly isMany: boolean;
}

/** Whether a flag's value is the next word of the line. */
export function takesNextWord({ value }: Flag): boolean {
  return value.kind !== "none" && value.kind !== "switch";
}

/** Everything below `commands`; loads them all. */
export async function planOfProgram(program: string, commands: readonly Command[]): Promise<Plan> {
  return { program, places: await placesOfGroup([], commands, [HELP, VERSION]) };
}

/** Of a name that stands for one command. */
export function planOfCommand(program: string, body: CommandBody): Plan {
  return { program, places: [placeOfCommand([], body)] };
}

async function placesOfGroup(path: readonly string[], commands: readonly Command[], flags: readonly Flag[]): Promise<readonly Place[]> {
  const below = await Promise.all(
    commands.map(async ({ name, load }) => {
      const loaded = await load();
      if (isGroup(loaded)) return await placesOfGroup([...path, name], loaded.commands, [HELP]);
      return [placeOfCommand([...path, name], loaded)];
    }),
  );
  return [{ kind: "group", path, flags, commands: commands.map(({ name, summary }) => ({ name, summary })) }, ...below.flat()];
}

function placeOfCommand(path: readonly string[], { options, words = [] }: CommandBody): CommandPlace {
  return {
    kind: "command",
    path,
    flags: [...Object.values(options).flatMap(flagsOfOption), HELP, VERSION],
    words: words.map(({ name, choices, completes, isMany }) => ({
      value: valueOf(name, choices ?? completes),
      isMany,
    })),
  };
}

function flagsOfOption({ flag, help, kind }: AnyOption): readonly Flag[] {
  const name = `--${flag}`;
  if (kind.shape !== "switch") {
    const isRepeatable = kind.shape === "many";
    return [{ name, help, isRepeatable, endedBy: isRepeatable ? [] : [name], value: valueOf(kind.hint, kind.completes) }];
  }
  const negated = `--no-${flag}`;
  const either = { isRepeatable: false, endedBy: [name, negated] };
  return [
    { ...either, name, help, value: { kind: "switch", hint: "switch", words: ["true", "false"] } },
    { ...either, name: negated, help: `Not: ${help}`, value: { kind: "none" } },
  ];
}

function valueOf(hint: string, completes: "path" | readonly string[] | undefined): Value {
  if (completes === undefined) return { kind: "any", hint };
  return completes === "path" ? { kind: "path", hint } : { kind: "words", hint, words: completes };
}

const HELP: Flag = { name: "--help", help: "What there is, in words.", isRepeatable: false, endedBy: ["--help"], value: { kind: "none" } };
const VERSION: Flag = { name: "--version", help: "The version.", isRepeatable: false, endedBy: ["--version"], value: { kind: "none" } };
