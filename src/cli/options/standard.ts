// The options that several commands have in common.
import { flag, text, oneOf, path, secret } from "./kinds.ts";
import { logLevel, type LogThreshold } from "./log-level.ts";
import { option } from "./option.ts";

/** Settings are read from here when neither a flag nor a variable gives them. */
export const CONFIG_OPTION = option({
  flag: "config",
  variables: ["MODELRELAY_CONFIG"],
  kind: path(),
  fallback: null,
  group: "General",
  help: "A TOML file of settings; its keys are these flags in snake_case.",
});

/** `names` are those a log directive may use for this program. */
export function logOptions(names: readonly string[], fallback: LogThreshold) {
  return {
    logLevel: option({
      flag: "log-level",
      variables: ["LOG_LEVEL"],
      overridingVariables: ["RUST_LOG"],
      kind: logLevel(names, fallback),
      fallback,
      group: "Logging",
      help: "off, error, warn, info, debug or trace, or name=level; RUST_LOG, when set, overrides it.",
    }),
    logFormat: option({
      flag: "log-format",
      variables: ["LOG_FORMAT"],
      kind: oneOf(["text", "json"]),
      fallback: "text",
      group: "Logging",
      help: "Lines to read, or one JSON object a line.",
    }),
    logFile: option({
      flag: "log-file",
      variables: ["LOG_FILE", "RUST_LOG_FILE"],
      kind: path(),
      fallback: null,
      group: "Logging",
      help: "Log lines are appended here instead of going to the standard error output.",
    }),
  };
}

export function providerOption(help: string, group: string) {
  return option({ flag: "provider", variables: ["PROVIDER_NAME"], kind: text("name", 128), fallback: "local", group, help });
}

/** Whose certificates are trusted, of a relay that is connected to. */
export function tlsCaOption(group: string) {
  return option({
    flag: "tls-ca",
    variables: ["TLS_CA"],
    kind: path(),
    fallback: null,
    fallbackText: "this machine's",
    group,
    help: "PEM file of the CA that signed the relay's certificate; no other is trusted then.",
  });
}

export function jsonOption(group: string, help = "Print JSON instead of text.") {
  return option({ flag: "json", variables: [], kind: flag(), fallback: false, group, help });
}

/** A client's key, as a value and as a file. */
export function apiKeyOptions(group: string, help: string) {
  return {
    apiKey: option({ flag: "api-key", variables: ["MODELRELAY_API_KEY"], kind: secret(), fallback: null, group, help }),
    apiKeyFile: option({
      flag: "api-key-file",
      variables: ["MODELRELAY_API_KEY_FILE"],
      kind: path(),
      fallback: null,
      group,
      help: "A file that holds this key, which keeps it out of the process list.",
    }),
  };
}

/** The secret that workers show to the relay, as a value and as a file. */
export function workerSecretOptions(group: string, fallbackText: string) {
  return {
    workerSecret: option({
      flag: "worker-secret",
      variables: ["WORKER_SECRET"],
      kind: secret(),
      fallback: null,
      fallbackText,
      group,
      help: "The secret that workers show to the relay.",
    }),
    workerSecretFile: option({
      flag: "worker-secret-file",
      variables: ["WORKER_SECRET_FILE"],
      kind: path(),
      fallback: null,
      group,
      help: "A file that holds the worker secret, which keeps it out of the process list.",
    }),
  };
}
