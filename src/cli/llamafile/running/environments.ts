// What of the environment goes to the llamafile, and what to the processes of this program that look after it.
import { STOP_REQUEST_VARIABLE } from "../../../llamafile/stop-request.ts";

/** Says to a keeper that all it is to do stands on its line: the settings of today are for who starts one. */
export const KEEPER_VARIABLE = "MODELRELAY_KEEPER";

type Variables = Readonly<Record<string, string>>;

/** The environment for the llamafile: nothing that only this program needs, secrets above all. */
export function modelEnvironment(env: Readonly<Record<string, string | undefined>>): Variables {
  return without(env, [...SECRETS, ...BETWEEN_OURSELVES]);
}

/** The environment for this program's own children. The secret travels in it, since a command line is everybody's to read. */
export function ownEnvironment(env: Readonly<Record<string, string | undefined>>, workerSecret: string | null): Variables {
  const rest = without(env, [...SECRETS, ...STEERING, ...BETWEEN_OURSELVES]);
  return workerSecret === null ? rest : { ...rest, WORKER_SECRET: workerSecret };
}

const SECRETS = [
  "WORKER_SECRET",
  "WORKER_SECRET_FILE",
  "MODELRELAY_ADMIN_TOKEN",
  "MODELRELAY_ADMIN_TOKEN_FILE",
  "MODELRELAY_API_KEY",
  "MODELRELAY_API_KEY_FILE",
  // Of another backend: it is no business of the llamafile, nor of its worker.
  "BACKEND_API_KEY",
  "BACKEND_API_KEY_FILE",
  "DATABASE_URL",
];
// What would send a worker's log elsewhere, or give it other settings than it is started with.
const STEERING = [
  "MODELRELAY_CONFIG",
  "LOG_FILE",
  "RUST_LOG_FILE",
  "LOG_LEVEL",
  "RUST_LOG",
  "LOG_FORMAT",
  "BACKEND_URL",
  "MODELS",
  "TLS_CA",
];
const BETWEEN_OURSELVES = [KEEPER_VARIABLE, STOP_REQUEST_VARIABLE];

function without(env: Readonly<Record<string, string | undefined>>, names: readonly string[]): Variables {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) if (value !== undefined && !names.includes(name)) kept[name] = value;
  return kept;
}
