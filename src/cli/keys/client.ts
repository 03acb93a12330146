// Asks a relay's admin API, and turns whatever goes wrong into one line that says what to do.
import * as v from "valibot";
import { CreatedKey, KeyList, type NewKey } from "../../admin/key-schema.ts";
import { UsageError } from "../../base/errors.ts";
import { listenAddress, reachableUrl, showUrl } from "../options/addresses.ts";
import type { CommandWorld } from "../commands.ts";
import { describeOrigin, type Origin } from "../options/option.ts";
import type { REVOKE_OPTIONS } from "./options.ts";
import type { Environment, Parsed } from "../options/parse.ts";
import { printable } from "../../base/printable.ts";
import { resolveSecret } from "../options/secrets.ts";

/** What a key command may do besides what every command may. */
export interface KeysWorld extends CommandWorld {
  /** Writes to the standard error output: everything that is for people and not for the next program. */
  readonly tell: (text: string) => void;
}

/** It was asked for rightly and could not be done: exit code 1. */
export class KeysProblem extends Error {}

export interface KeysClient {
  create(key: v.InferInput<typeof NewKey>): Promise<v.InferOutput<typeof CreatedKey>>;
  list(): Promise<v.InferOutput<typeof KeyList>["keys"]>;
  /** False: there is no such key. */
  revoke(id: string): Promise<boolean>;
}

/** @throws UsageError when there is no token to ask with */
export function createKeysClient({ values, origins }: Parsed<typeof REVOKE_OPTIONS>, { env, tell }: KeysWorld): KeysClient {
  const token = resolveSecret(
    { value: values.adminToken, origin: origins.adminToken },
    { value: values.adminTokenFile, origin: origins.adminTokenFile },
  );
  if (token === null) throw new UsageError(TOKEN_MISSING);
  if (origins.adminToken.kind === "flag") tell("modelrelay: a secret given as a flag shows in the process list; use --admin-token-file\n");
  const base = values.url === null ? listeningUrl(env) : showUrl(values.url).replace(/^ws/, "http");
  const tokenFrom = origins.adminTokenFile.kind === "default" ? origins.adminToken : origins.adminTokenFile;
  const door: Door = { base, token, tokenFrom, timeoutMs: values.timeoutMs };
  return {
    create: async (key) => await readBody(door, CreatedKey, await ask(door, "POST", "/admin/keys", key), 201),
    list: async () => (await readBody(door, KeyList, await ask(door, "GET", "/admin/keys"), 200)).keys,
    async revoke(id) {
      const response = await ask(door, "DELETE", `/admin/keys/${encodeURIComponent(id)}`);
      if (response.status !== 204 && response.status !== 404) throw await problemOf(door, response);
      return response.status === 204;
    },
  };
}

interface Door {
  readonly base: string;
  readonly token: string;
  readonly tokenFrom: Origin;
  readonly timeoutMs: number;
}

/** A redirect is an answer like any other: the token goes nowhere but where it was meant to go. */
async function ask({ base, token, timeoutMs }: Door, method: string, path: string, body?: object): Promise<Response> {
  const headers = { authorization: `Bearer ${token}` };
  const init = { method, headers, redirect: "manual", signal: AbortSignal.timeout(timeoutMs) } as const;
  try {
    return await fetch(`${base}${path}`, body === undefined ? init : { ...init, body: JSON.stringify(body) });
  } catch (error) {
    throw new KeysProblem(explainSilence(base, timeoutMs, error));
  }
}

/** 1. no answer in time  2. a certificate nobody here vouches for  3. nobody there */
function explainSilence(base: string, timeoutMs: number, error: unknown): string {
  if (error instanceof Error && error.name === "TimeoutError") {
    return `the relay at ${base} did not answer in ${timeoutMs / 1000} s; --timeout gives it longer`; // (1)
  }
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (/CERT|SELF_SIGNED|ISSUER|ALTNAME/.test(code)) {
    return `the certificate of ${base} is not trusted (${printable(code)}); NODE_EXTRA_CA_CERTS=PATH names one that vouches for it`; // (2)
  }
  return `the relay at ${base} cannot be reached: no connection. Is it running? --url gives another address`; // (3)
}

async function readBody<S extends v.GenericSchema>(door: Door, schema: S, response: Response, status: number): Promise<v.InferOutput<S>> {
  if (response.status !== status) throw await problemOf(door, response);
  const body = v.safeParse(schema, await response.json().catch(() => null));
  if (!body.success) throw new KeysProblem(notARelay(door, response));
  return body.output;
}

/** 1. not let in  2. the relay says what is wrong  3. whoever answered, it was no relay */
async function problemOf(door: Door, response: Response): Promise<KeysProblem> {
  const body = v.safeParse(Refusal, await response.json().catch(() => null));
  if (!body.success) return new KeysProblem(notARelay(door, response)); // (3)
  const { code, message } = body.output.error;
  if (response.status === 403) {
    return new KeysProblem(
      `the relay at ${door.base} refuses the admin token of ${describeOrigin(door.tokenFrom)} (${code}): ${message} ` +
        "It has to be the token that relay was started with, or a key with the scope admin", // (1)
    );
  }
  return new KeysProblem(`the relay at ${door.base} refuses (${code}): ${message}`); // (2)
}

const shown = v.pipe(v.string(), v.transform(printable));
const Refusal = v.object({ error: v.object({ code: shown, message: shown }) });

function notARelay({ base }: Door, { status }: Response): string {
  return `${base} answered ${status}, not as a relay with keys does; --url gives another address`;
}

/** In the relay's own container its LISTEN_ADDR says where it is. */
function listeningUrl(env: Environment): string {
  const given = listenAddress().parse(env["LISTEN_ADDR"] ?? "");
  return reachableUrl(given.ok ? given.value : { host: "127.0.0.1", port: 8080 });
}

const TOKEN_MISSING =
  "an admin token is needed: give --admin-token-file PATH, the variable MODELRELAY_ADMIN_TOKEN or --admin-token TOKEN " +
  "(the one the relay was started with, or a key with the scope admin)";
