// From the options of `serve` to the relay's configuration, with everything refused that must not start.
import { UsageError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { isLoopbackAddress } from "../../edge/browser-gate.ts";
import type { ServeConfig } from "../../server/config.ts";
import { showListenAddress } from "../options/addresses.ts";
import type { OptionValues, Origin } from "../options/option.ts";
import type { CLIENT_OPTIONS, LIMIT_OPTIONS, SERVE_OPTIONS } from "./options.ts";
import type { Parsed } from "../options/parse.ts";
import { resolveSecret } from "../options/secrets.ts";

/** @throws UsageError when a secret is missing or unusable, or something is asked for that this version cannot do. */
export function toServeConfig({ values, origins }: Parsed<typeof SERVE_OPTIONS>): ServeConfig {
  const workerSecret = resolveSecret(
    { value: values.workerSecret, origin: origins.workerSecret },
    { value: values.workerSecretFile, origin: origins.workerSecretFile },
  );
  if (workerSecret === null) throw new UsageError(WORKER_SECRET_MISSING);
  if ((values.tlsCert === null) !== (values.tlsKey === null))
    throw new UsageError("--tls-cert and --tls-key go together: give both, or neither");
  return {
    listen: values.listen,
    workerSecret,
    provider: values.provider,
    publicUrl: values.publicUrl,
    adminToken: resolveSecret(
      { value: values.adminToken, origin: origins.adminToken },
      { value: values.adminTokenFile, origin: origins.adminTokenFile },
    ),
    requireApiKeys: values.requireApiKeys,
    trustedProxies: values.trustedProxies,
    tls: values.tlsCert === null || values.tlsKey === null ? null : { certFile: values.tlsCert, keyFile: values.tlsKey },
    ...toClientRules(values),
  };
}

type ClientRules = OptionValues<typeof LIMIT_OPTIONS & typeof CLIENT_OPTIONS>;

/** What holds for clients, whatever else a command was told. */
export function toClientRules(values: ClientRules): ClientRules {
  return {
    forwardHeaders: values.forwardHeaders,
    corsOrigins: values.corsOrigins,
    allowedHosts: values.allowedHosts,
    maxQueueLength: values.maxQueueLength,
    queueTimeoutMs: values.queueTimeoutMs,
    requestTimeoutMs: values.requestTimeoutMs,
    chunkTimeoutMs: values.chunkTimeoutMs,
    totalTimeoutMs: values.totalTimeoutMs,
    bodyLimitBytes: values.bodyLimitBytes,
    modelGraceMs: values.modelGraceMs,
    drainTimeoutMs: values.drainTimeoutMs,
    heartbeatIntervalMs: values.heartbeatIntervalMs,
    sseKeepaliveAfterMs: values.sseKeepaliveAfterMs,
    sseKeepaliveMs: values.sseKeepaliveMs,
  };
}

/** Every user of the machine can read the arguments of its processes. */
export function warnOfSecretFlags(origins: readonly Origin[], log: Log): void {
  for (const origin of origins) {
    if (origin.kind !== "flag") continue;
    const instead = origin.name === "database-url" ? "the variable DATABASE_URL" : `--${origin.name}-file`;
    log.warn("a secret given as a flag shows in the process list", { flag: `--${origin.name}`, instead });
  }
}

/** A relay that has no more for a client's socket lets it wait without a word, and this is the only time to say so. */
export function warnOfFewFiles(limit: number | null, log: Log): void {
  if (limit === null || limit >= FEW_FILES) return;
  log.warn("few files may be open at once, and each client and worker is one", {
    limit,
    fix: "ulimit -n 65536, or LimitNOFILE=65536 in the unit",
  });
}

const FEW_FILES = 1_024;

/** Without API keys, whoever reaches the address may use the models. */
export function warnOfOpenAddress({ listen, requireApiKeys }: Pick<ServeConfig, "listen" | "requireApiKeys">, log: Log): void {
  if (isLoopbackAddress(listen.host) || requireApiKeys) return;
  const listensOn = showListenAddress(listen);
  log.warn("OPEN RELAY: anyone who can reach this address may use the models, no API key is asked for", { listen: listensOn });
}

export const WORKER_SECRET_MISSING =
  "a worker secret is needed: give --worker-secret-file PATH, the variable WORKER_SECRET or --worker-secret SECRET " +
  "(the same on the relay and its workers; 'openssl rand -hex 32' makes one)";
