// From the options of `work` to the worker's configuration.
import { UsageError } from "../../base/errors.ts";
import type { WorkConfig } from "../../worker/config.ts";
import type { WORK_OPTIONS } from "./options.ts";
import { readCertificates } from "../options/certificates.ts";
import type { Parsed } from "../options/parse.ts";
import { resolveSecret } from "../options/secrets.ts";
import { WORKER_SECRET_MISSING } from "../serve/config.ts";

/** @throws UsageError when a secret is missing or unusable. */
export function toWorkConfig({ values, origins }: Parsed<typeof WORK_OPTIONS>): WorkConfig {
  const workerSecret = resolveSecret(
    { value: values.workerSecret, origin: origins.workerSecret },
    { value: values.workerSecretFile, origin: origins.workerSecretFile },
  );
  if (workerSecret === null) throw new UsageError(WORKER_SECRET_MISSING);
  return {
    proxyUrl: values.proxyUrl,
    workerSecret,
    tlsCa: values.tlsCa === null ? null : readCertificates(values.tlsCa),
    backendUrl: values.backendUrl,
    backendApiKey: resolveSecret(
      { value: values.backendApiKey, origin: origins.backendApiKey },
      { value: values.backendApiKeyFile, origin: origins.backendApiKeyFile },
    ),
    models: values.models,
    provider: values.provider,
    workerName: values.workerName,
    maxConcurrency: values.maxConcurrency,
    drainTimeoutMs: values.drainTimeoutMs,
  };
}
