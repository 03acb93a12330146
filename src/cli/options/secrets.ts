// Secrets come as a value or in a file. Whatever would only look like one is refused before anything listens.
import { readFileSync } from "node:fs";
import { UsageError } from "../../base/errors.ts";
import { fileTrouble } from "../../base/file-trouble.ts";
import { describeOrigin, type Origin } from "./option.ts";

export interface GivenSecret {
  readonly value: string | null;
  readonly origin: Origin;
}

/**
 * The secret of a pair of options such as `--worker-secret` and `--worker-secret-file`, or null when neither is given.
 * The stronger source wins (a flag over a variable over the config file); both at the same strength is refused.
 */
export function resolveSecret(value: GivenSecret, file: GivenSecret): string | null {
  if (value.value !== null && file.value !== null && value.origin.kind === file.origin.kind) {
    throw new UsageError(`${describeOrigin(value.origin)} and ${describeOrigin(file.origin)} are both given: keep one.`);
  }
  const isFileStronger = file.value !== null && (value.value === null || isStronger(file.origin, value.origin));
  if (isFileStronger) return checkSecret(readSecretFile(file.value ?? "", file.origin), `the file of ${describeOrigin(file.origin)}`);
  return value.value === null ? null : checkSecret(value.value, describeOrigin(value.origin));
}

/** Of two places that give the same thing in two ways: does the first one win? */
export function isStronger(a: Origin, b: Origin): boolean {
  return STRENGTH[a.kind] > STRENGTH[b.kind];
}

/** Every user of the machine can read the arguments of its processes. */
export function warnOfSecretFlag(origin: Origin, tell: (text: string) => void): void {
  if (origin.kind === "flag") tell(`modelrelay: a secret given as a flag shows in the process list; use --${origin.name}-file\n`);
}

/** The trimmed secret; `where` begins the refusal of an unusable one. The text itself is never shown. */
export function checkSecret(text: string, where: string): string {
  const secret = text.trim();
  if (secret === "") throw new UsageError(`${where}: the secret is empty.`);
  if (isPlaceholder(secret)) {
    throw new UsageError(`${where}: this is the placeholder of an example, not a secret. Make one with 'openssl rand -hex 32'.`);
  }
  if (!/^[\u0020-\u007e]+$/.test(secret)) {
    throw new UsageError(`${where}: a secret is one line of printable ASCII characters, because it travels in an HTTP header.`);
  }
  if (secret.length > SECRET_MAX_CHARS) throw new UsageError(`${where}: a secret has at most ${SECRET_MAX_CHARS} characters.`);
  return secret;
}

/** Whether a text is one of those that examples put where a secret belongs. */
function isPlaceholder(secret: string): boolean {
  const text = secret.toLowerCase().replaceAll(/[\s_]+/g, "-");
  return PLACEHOLDERS.some((pattern) => pattern.test(text));
}

const STRENGTH = { flag: 3, variable: 2, file: 1, default: 0 } as const;
// Far above any key, far below the 16 KiB that a request's headers may have.
const SECRET_MAX_CHARS = 4_096;
const SECRET_FILE_MAX_CHARS = 65_536;

const PLACEHOLDERS = [
  /^change-?me/,
  /^replace-?me/,
  /^(your-|my-|the-)?(worker-|shared-|admin-)?(secret|token|key)-here$/,
  /^your-(worker-|shared-|admin-)?(secret|token)(-here)?$/,
  /^<.*>$/,
];

function readSecretFile(path: string, origin: Origin): string {
  try {
    return readFileSync(path, "utf8").slice(0, SECRET_FILE_MAX_CHARS);
  } catch (error) {
    throw new UsageError(`${describeOrigin(origin)}: the file ${path} cannot be read (${fileTrouble(error)}).`);
  }
}
