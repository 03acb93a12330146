// The commands there are. Each is loaded only when it is the one to run, which keeps start-up quick.
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

export const COMMANDS: readonly Command[] = [
  {
    name: "serve",
    summary: "the relay: takes clients' requests and gives them to workers",
    load: async () => (await import("./serve/serve.ts")).serve,
  },
  {
    name: "work",
    summary: "the worker: connects a model server to a relay",
    load: async () => (await import("./work/work.ts")).work,
  },
  {
    name: "up",
    summary: "relay and worker in one, for the model server of this machine",
    load: async () => (await import("./up/up.ts")).up,
  },
  {
    name: "status",
    summary: "shows workers, queue and live requests of a relay",
    load: async () => (await import("./status/status.ts")).status,
  },
  {
    name: "doctor",
    summary: "tries every step from a worker's box to an answer, and says what to do",
    load: async () => (await import("./doctor/doctor.ts")).doctor,
  },
  {
    name: "health",
    summary: "asks a relay whether it is well; exit code 0 or 1",
    load: async () => (await import("./health/health.ts")).health,
  },
  {
    name: "bench",
    summary: "load test of any OpenAI-compatible endpoint: throughput, latencies, errors by kind",
    load: async () => (await import("./bench/bench.ts")).bench,
  },
  {
    name: "keys",
    summary: "API keys of a relay: create, list, revoke",
    load: async () => (await import("./keys/keys.ts")).keys,
  },
  {
    name: "llamafile",
    summary: "finds, downloads, runs and relays models that are one executable file each",
    load: async () => (await import("./llamafile/llamafile.ts")).llamafile,
  },
  {
    name: "service",
    summary: "runs the relay or a worker as a service of this machine: install, uninstall, status",
    load: async () => (await import("./service/service.ts")).service,
  },
  {
    name: "completions",
    summary: "prints what makes a shell complete commands, flags and values",
    load: async () => (await import("./completions/completions.ts")).completions,
  },
];
