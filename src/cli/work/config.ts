// From the options of `work` to the worker's configuration.
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { UsageError } from "../../base/errors.ts";
import type { WorkConfig } from "../../worker/config.ts";
import type { WORK_OPTIONS } from "./options.ts";
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

/** PEM text. @throws UsageError when the file cannot be read or holds something else */
function readCertificates(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw new UsageError(`--tls-ca: the file ${path} cannot be read (${reason})`);
  }
  try {
    void new X509Certificate(text);
    return text;
  } catch {
    throw new UsageError(`--tls-ca: the file ${path} holds no PEM certificate`);
  }
}
