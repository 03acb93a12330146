// What a command is: its options, its words, and what it may touch when it runs.
import type { Clock } from "../base/clock.ts";
import type { OptionTable } from "./options/option.ts";
import type { Environment } from "./options/parse.ts";
import type { PassedWords, WordSlot } from "./options/words.ts";

/** What a command may touch besides its arguments. */
export interface CommandWorld {
  readonly env: Environment;
  readonly clock: Clock;
  /** Writes to the standard output, at once and as it is. */
  readonly print: (text: string) => void;
  /** Writes to the standard error output: what is for people and not for the next program. */
  readonly tell: (text: string) => void;
}

/** A command that does something. */
export interface CommandBody {
  readonly options: OptionTable;
  /** The words it takes besides flags, in their order; none when not given. */
  readonly words?: readonly WordSlot[];
  /** What may follow `--`, for another program; nothing when not given. */
  readonly passed?: PassedWords;
  /** Resolves to the exit code when the command is over. */
  readonly run: (args: readonly string[], world: CommandWorld) => Promise<number>;
}

/** A command that is only the first word of others, as `keys` is of `keys list`. */
export interface CommandGroup {
  readonly commands: readonly Command[];
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<CommandBody | CommandGroup>;
}

export function isGroup(loaded: CommandBody | CommandGroup): loaded is CommandGroup {
  return "commands" in loaded;
}
