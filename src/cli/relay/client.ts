// Asks a running relay, and turns whatever goes wrong into one line that says what to do.
import * as v from "valibot";
import { readBodyJson } from "../../base/bounded-body.ts";
import { certificateTrouble } from "../../base/certificate-trouble.ts";
import { CommandError, UsageError } from "../../base/errors.ts";
import { printable } from "../../base/printable.ts";
import { proxyFor, relayAddress } from "../../worker/relay-address.ts";
import { listenAddress, reachableUrl, showUrl } from "../options/addresses.ts";
import { readCertificates } from "../options/certificates.ts";
import { describeOrigin, type OptionValues, type Origin } from "../options/option.ts";
import type { Environment, Parsed } from "../options/parse.ts";
import { resolveSecret, warnOfSecretFlag } from "../options/secrets.ts";
import type { adminTokenOptions, relayOptions } from "./options.ts";

/** Where a relay is asked. */
export interface RelayDoor {
  /** Without a slash at its end. */
  readonly base: string;
  readonly timeoutMs: number;
  /** PEM text of the CA to trust; null: those of this machine. */
  readonly tlsCa: string | null;
  /** It was found by the variables the relay beside this command has, TLS_CERT among them. */
  readonly isOwn: boolean;
  /** The HTTP proxy on the way; null: none, whatever the runtime thinks of this machine's variables. */
  readonly proxy: URL | null;
  /** What is shown to it, and where that came from; null: nothing. */
  readonly token: { readonly text: string; readonly from: Origin } | null;
}

type RelayOptions = ReturnType<typeof relayOptions>;
type TokenOptions = ReturnType<typeof adminTokenOptions>;

/** @throws UsageError when `--tls-ca` names nothing usable */
export function relayDoor(values: OptionValues<RelayOptions>, env: Environment): RelayDoor {
  const isOwn = values.url === null && (env["TLS_CERT"] ?? "") !== "";
  const listening = isOwn ? listeningUrl(env).replace(/^http/, "https") : listeningUrl(env);
  const base = values.url === null ? listening : showUrl(values.url).replace(/^ws/, "http");
  const tlsCa = values.tlsCa === null ? null : readCertificates(values.tlsCa);
  return { base, timeoutMs: values.timeoutMs, tlsCa, isOwn, proxy: proxyOnTheWay(base, env), token: null };
}

/** The same with the admin token, if there is one. `tell` is told when it was given where others can read it. */
export function adminDoor(
  { values, origins }: Parsed<RelayOptions & TokenOptions>,
  { env, tell }: { readonly env: Environment; readonly tell: (text: string) => void },
): RelayDoor {
  const text = resolveSecret(
    { value: values.adminToken, origin: origins.adminToken },
    { value: values.adminTokenFile, origin: origins.adminTokenFile },
  );
  warnOfSecretFlag(origins.adminToken, tell);
  // Both may be given, and the stronger source counts: whose text it is says which one that was.
  const from = text !== null && text === values.adminToken?.trim() ? origins.adminToken : origins.adminTokenFile;
  return { ...relayDoor(values, env), token: text === null ? null : { text, from } };
}

/** @throws UsageError when there is no token to ask with */
export function requireToken(door: RelayDoor): RelayDoor {
  if (door.token === null) throw new UsageError(TOKEN_MISSING);
  return door;
}

/** The same one that a worker takes. */
export function proxyOnTheWay(base: string, env: Environment): URL | null {
  return proxyFor(relayAddress(new URL(base), ""), env);
}

/** How the runtime is told of it; left alone, it would send questions to this very machine through a proxy too. */
export function viaProxy(proxy: URL | null): Pick<BunFetchRequestInit, "proxy"> {
  return { proxy: proxy === null ? false : proxy.href };
}

/** A redirect is an answer like any other: the token goes nowhere but where it was meant to go. @throws CommandError when none comes */
export async function askRelay(door: RelayDoor, method: string, path: string, body?: object): Promise<Response> {
  const init: BunFetchRequestInit = {
    method,
    headers: door.token === null ? {} : { authorization: `Bearer ${door.token.text}` },
    redirect: "manual",
    signal: AbortSignal.timeout(door.timeoutMs),
    ...viaProxy(door.proxy),
    ...tlsOf(door),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
  try {
    return await fetch(`${door.base}${path}`, init);
  } catch (error) {
    throw new CommandError(explainSilence(door, error));
  }
}

/**
 * 1. the CA that was named
 * 2. the relay of this very machine, whose certificate is made out to the name others reach it by: asked without being believed, and told nothing
 * 3. the CAs of this machine
 */
function tlsOf({ tlsCa, isOwn, token }: RelayDoor): Pick<BunFetchRequestInit, "tls"> {
  if (tlsCa !== null) return { tls: { ca: tlsCa } }; // (1)
  return isOwn && token === null ? { tls: { rejectUnauthorized: false } } : {}; // (2) (3)
}

/** The checked body of an answer with this status. @throws CommandError for every other answer */
export async function readAnswer<S extends v.GenericSchema>(
  door: RelayDoor,
  response: Response,
  status: number,
  schema: S,
): Promise<v.InferOutput<S>> {
  if (response.status !== status) throw await problemOf(door, response);
  const body = v.safeParse(schema, await readJson(door, response));
  if (!body.success) throw new CommandError(notARelay(door, response));
  return body.output;
}

/** Null: it is no JSON, or has no end. @throws CommandError when the body does not come in time, which its head did */
export async function readJson(door: RelayDoor, response: Response): Promise<unknown> {
  try {
    return await readBodyJson(response);
  } catch (error) {
    if (isTimeout(error)) throw new CommandError(explainSilence(door, error));
    return null;
  }
}

/** 1. not let in  2. the relay says what is wrong  3. whoever answered, it was no relay */
export async function problemOf(door: RelayDoor, response: Response): Promise<CommandError> {
  const body = v.safeParse(Refusal, await readJson(door, response));
  if (!body.success) return new CommandError(notARelay(door, response)); // (3)
  const { code, message } = body.output.error;
  if (response.status === 403 && door.token !== null) {
    return new CommandError(
      `the relay at ${door.base} refuses the admin token of ${describeOrigin(door.token.from)} (${code}): ${message} ` +
        "It has to be the token that relay was started with, or a key with the scope admin", // (1)
    );
  }
  return new CommandError(`the relay at ${door.base} refuses (${code}): ${message}`); // (2)
}

/**
 * 1. no answer in time
 * 2. no TLS there, or only TLS
 * 3. a certificate that has run out, is for another name, or has nobody here to vouch for it
 * 4. no such name
 * 5. somebody there who speaks no HTTP, or expects TLS
 * 6. nobody there
 */
function explainSilence({ base, timeoutMs }: RelayDoor, error: unknown): string {
  if (isTimeout(error)) {
    return `the relay at ${base} did not answer in ${timeoutMs / 1000} s; --timeout gives it longer`; // (1)
  }
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (/EPROTO|WRONG_VERSION_NUMBER/.test(code)) return `${base} speaks no TLS; give its address with http://`; // (2)
  const trouble = certificateTrouble(code);
  if (trouble !== null) return `the certificate of ${base} is not trusted (${printable(code)}); ${CERTIFICATE_FIXES[trouble]}`; // (3)
  if (code === "ENOTFOUND") return `the relay at ${base} cannot be reached: there is no host of this name; --url gives another address`; // (4)
  if (code === "ECONNRESET") {
    return `${base} closed the connection without an answer. Is it a relay? --url gives another address, with https:// where it has a certificate`; // (5)
  }
  return `the relay at ${base} cannot be reached: no connection. Is it running? --url gives another address, with https:// where it has a certificate`; // (6)
}

/** Of a relay that is named by `--url`. */
export const CERTIFICATE_FIXES = {
  expired: "renew it at the relay, or put the clocks right",
  misnamed: "--url has to name the relay as its certificate does",
  untrusted: "--tls-ca PATH names the CA that signed it",
} as const;

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === "TimeoutError";
}

const shown = v.pipe(v.string(), v.transform(printable));
const Refusal = v.object({ error: v.object({ code: shown, message: shown }) });

function notARelay({ base }: RelayDoor, { status }: Response): string {
  return `${base} answered ${status}, not as a relay with keys does; --url gives another address`;
}

/** In the relay's own container its LISTEN_ADDR says where it is; one that cannot be read is the relay's to complain of. */
function listeningUrl(env: Environment): string {
  const given = listenAddress().parse(env["LISTEN_ADDR"] ?? "");
  return reachableUrl(given.ok ? given.value : { host: "127.0.0.1", port: 8080 });
}

const TOKEN_MISSING =
  "an admin token is needed: give --admin-token-file PATH, the variable MODELRELAY_ADMIN_TOKEN or --admin-token TOKEN " +
  "(the one the relay was started with, or a key with the scope admin)";
