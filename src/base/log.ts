// What the rest of the program may say, and how: a fixed message plus named fields. Where it goes is the CLI's business.

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";

/** Values a log line may carry. Bodies and credentials are never among them. */
export type LogFields = Readonly<Record<string, string | number | boolean | readonly string[] | null | undefined>>;

/**
 * `message` is a fixed phrase that operators can grep for; everything that varies goes into `fields`
 * (snake_case: request_id, worker_id, model, ...). The sink escapes control characters and caps long values.
 */
export interface Log {
  readonly trace: (message: string, fields?: LogFields) => void;
  readonly debug: (message: string, fields?: LogFields) => void;
  readonly info: (message: string, fields?: LogFields) => void;
  readonly warn: (message: string, fields?: LogFields) => void;
  readonly error: (message: string, fields?: LogFields) => void;
}
