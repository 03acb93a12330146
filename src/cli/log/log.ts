// Where log lines go: the standard error output or a file, as text or JSON, from a level upwards.
import { openSync } from "node:fs";
import { isatty } from "node:tty";
import { createConsola, LogLevels } from "consola/core";
import type { Clock } from "../../base/clock.ts";
import { UsageError } from "../../base/errors.ts";
import { fileTrouble } from "../../base/file-trouble.ts";
import type { Log, LogLevel } from "../../base/log.ts";
import type { LogThreshold } from "../options/log-level.ts";
import { formatLogLine, type LogEntry, type LogFormat } from "./log-line.ts";
import type { OptionValues } from "../options/option.ts";
import type { logOptions } from "../options/standard.ts";
import { writeNow } from "../write-now.ts";

export interface LogSinkOptions {
  readonly level: LogThreshold;
  readonly format: LogFormat;
  /** Null: the standard error output. */
  readonly file: string | null;
}

type LogFlags = OptionValues<ReturnType<typeof logOptions>>;

/** What the sink needs of the world; tests give their own. */
export interface LogWorld {
  readonly clock: Pick<Clock, "unixMs">;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isTerminal: (descriptor: number) => boolean;
  readonly write: (descriptor: number, text: string) => void;
}

/** The log of a command, as its flags ask for it. @throws UsageError when the file cannot be opened. */
export function startLog(flags: LogFlags, { clock, env }: Omit<LogWorld, "isTerminal" | "write">): Log {
  const { logLevel, logFormat, logFile } = flags;
  // A pipe whose reader stands still would hold up the whole process at its next line. To look at the stream makes it one that does not wait.
  if (logFile === null && !isatty(STANDARD_ERROR)) void process.stderr;
  return createLogSink({ level: logLevel, format: logFormat, file: logFile }, { clock, env, isTerminal: isatty, write: writeNow });
}

/** @throws UsageError when the file cannot be opened. */
export function createLogSink(options: LogSinkOptions, world: LogWorld): Log {
  const descriptor = options.file === null ? STANDARD_ERROR : openLogFile(options.file);
  const isColoured = world.isTerminal(descriptor) && (world.env["NO_COLOR"] ?? "") === "" && world.env["TERM"] !== "dumb";
  const engine = createConsola({
    level: options.level === "off" ? LogLevels.silent : LogLevels[options.level],
    // By default equal lines are merged; an operator counts them.
    throttle: 0,
    reporters: [
      {
        log({ type, args }) {
          // The engine passes on untyped what the five functions below gave it: a message and perhaps fields.
          const entry: LogEntry = { unixMs: world.clock.unixMs(), level: toLevel(type), message: args[0], fields: args[1] ?? {} };
          world.write(descriptor, `${formatLogLine(entry, options.format, isColoured)}\n`);
        },
      },
    ],
  });
  return {
    trace: (message, fields) => engine.trace(message, fields),
    debug: (message, fields) => engine.debug(message, fields),
    info: (message, fields) => engine.info(message, fields),
    warn: (message, fields) => engine.warn(message, fields),
    error: (message, fields) => engine.error(message, fields),
  };
}

const STANDARD_ERROR = 2;

function openLogFile(path: string): number {
  try {
    return openSync(path, "a", 0o640);
  } catch (error) {
    throw new UsageError(`the log file ${path} cannot be opened (${fileTrouble(error)})`);
  }
}

function toLevel(type: string): LogLevel {
  return type === "trace" || type === "debug" || type === "warn" || type === "error" ? type : "info";
}
