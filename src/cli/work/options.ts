// Every option of `modelrelay work`.
import { WORKER_NAME_MAX_CHARS } from "../../protocol/limits.ts";
import { WORK_DEFAULTS } from "../../worker/config.ts";
import { baseUrl } from "../options/addresses.ts";
import { count, models, path, seconds, secret, text } from "../options/kinds.ts";
import { option } from "../options/option.ts";
import { CONFIG_OPTION, logOptions, providerOption, tlsCaOption, workerSecretOptions } from "../options/standard.ts";

const RELAY = "Relay";
const BACKEND = "Backend";

// More than any one backend serves at once; the relay refuses a register with more.
const CONCURRENCY_MAX = 4_096;

/** What the worker knows of its model server; `modelrelay up` takes these too. */
export const BACKEND_OPTIONS = {
  backendApiKey: option({
    flag: "backend-api-key",
    variables: ["BACKEND_API_KEY"],
    kind: secret(),
    fallback: WORK_DEFAULTS.backendApiKey,
    group: BACKEND,
    help: "The backend's own API key, if it wants one.",
  }),
  backendApiKeyFile: option({
    flag: "backend-api-key-file",
    variables: ["BACKEND_API_KEY_FILE"],
    kind: path(),
    fallback: null,
    group: BACKEND,
    help: "A file that holds the backend's API key.",
  }),
  models: option({
    flag: "models",
    variables: ["MODELS"],
    kind: models(),
    fallback: WORK_DEFAULTS.models,
    fallbackText: "ask the backend",
    group: BACKEND,
    help: "Models to offer; * asks the backend and serves any. Unset, the backend is asked and watched.",
  }),
  maxConcurrency: option({
    flag: "max-concurrency",
    variables: ["MAX_CONCURRENCY"],
    kind: count(1, CONCURRENCY_MAX),
    fallback: WORK_DEFAULTS.maxConcurrency,
    group: BACKEND,
    help: "Requests the backend gets at once.",
  }),
};

export const WORK_OPTIONS = {
  config: CONFIG_OPTION,
  proxyUrl: option({
    flag: "proxy-url",
    variables: ["PROXY_URL"],
    kind: baseUrl(["http", "https", "ws", "wss"]),
    fallback: new URL(WORK_DEFAULTS.proxyUrl),
    group: RELAY,
    help: "The relay's base URL; it may have a path prefix.",
  }),
  ...workerSecretOptions(RELAY, "required"),
  tlsCa: tlsCaOption(RELAY),
  provider: providerOption("The provider to register with; it has to be the relay's.", RELAY),
  workerName: option({
    flag: "worker-name",
    variables: ["WORKER_NAME"],
    kind: text("name", WORKER_NAME_MAX_CHARS),
    fallback: WORK_DEFAULTS.workerName,
    group: RELAY,
    help: "What this worker is called in logs and lists.",
  }),
  drainTimeoutMs: option({
    flag: "drain-timeout",
    variables: ["DRAIN_TIMEOUT_SECS"],
    kind: seconds(0),
    fallback: WORK_DEFAULTS.drainTimeoutMs,
    group: RELAY,
    help: "Time running requests have to finish after the first stop signal; 0: none.",
  }),
  backendUrl: option({
    flag: "backend-url",
    variables: ["BACKEND_URL"],
    kind: baseUrl(["http", "https"]),
    fallback: new URL(WORK_DEFAULTS.backendUrl),
    group: BACKEND,
    help: "Base URL of the model server; it may have a path prefix.",
  }),
  ...BACKEND_OPTIONS,
  ...logOptions(["modelrelay_worker", "modelrelay"], "info"),
};
