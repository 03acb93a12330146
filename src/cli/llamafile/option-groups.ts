// The options that several llamafile commands have in common, by what they are about.
import * as v from "valibot";
import type { PortRange } from "../../llamafile/port.ts";
import { SLOTS_MAX } from "../../protocol/limits.ts";
import { baseUrl } from "../options/addresses.ts";
import { count, kind, path, seconds } from "../options/kinds.ts";
import { option, type ValueKind } from "../options/option.ts";
import { apiKeyOptions, jsonOption, providerOption, tlsCaOption, workerSecretOptions } from "../options/standard.ts";

export const GENERAL = "General";
export const MODEL = "Model";
const RELAY = "Relay";

export const HOME_OPTIONS = {
  home: option({
    flag: "home",
    variables: ["MODELRELAY_HOME"],
    kind: path(),
    fallback: null,
    fallbackText: "this platform's place for data",
    group: GENERAL,
    help: "The directory of models, their state, their logs, the settings and the catalogue.",
  }),
};

export const JSON_OPTION = { json: jsonOption(GENERAL) };

/** How a model is run. */
export const MODEL_OPTIONS = {
  gpuLayers: option({
    flag: "gpu-layers",
    variables: [],
    kind: count(0, 9_999),
    fallback: null,
    fallbackText: "the llamafile's choice",
    group: MODEL,
    help: "Layers of the model that go to the GPU; 0 keeps it to the CPU.",
  }),
  contextSize: option({
    flag: "context-size",
    variables: [],
    kind: count(0, 10_000_000),
    fallback: null,
    fallbackText: "the llamafile's choice",
    group: MODEL,
    help: "Tokens a conversation may have; 0 takes what the model was made for.",
  }),
  portRange: option({
    flag: "port-range",
    variables: [],
    kind: portRange(),
    fallback: { first: 18_080, last: 18_179 },
    group: MODEL,
    help: "The loopback ports that models get.",
  }),
  loadTimeoutMs: option({
    flag: "load-timeout",
    variables: [],
    kind: seconds(1),
    fallback: 600_000,
    group: MODEL,
    help: "How long is waited for a model to answer; it goes on loading after that.",
  }),
};

/** Where a model is relayed. */
export const RELAY_OPTIONS = {
  proxyUrl: option({
    flag: "proxy-url",
    variables: ["PROXY_URL"],
    kind: baseUrl(["http", "https", "ws", "wss"]),
    fallback: null,
    group: RELAY,
    help: "The relay's base URL; it may have a path prefix.",
  }),
  tlsCa: tlsCaOption(RELAY),
};

export const WORKER_OPTIONS = {
  ...workerSecretOptions(RELAY, "none"),
  provider: providerOption("The provider the worker registers with; it has to be the relay's.", RELAY),
  maxConcurrency: option({
    flag: "max-concurrency",
    variables: ["MAX_CONCURRENCY"],
    kind: count(1, SLOTS_MAX),
    fallback: 1,
    group: RELAY,
    help: "Requests the model gets at once.",
  }),
};

export const API_KEY_OPTIONS = apiKeyOptions(RELAY, "The key that clients show to the relay, if it wants one.");

/** How downloads behave on bad lines. */
export const DOWNLOAD_OPTIONS = {
  stallMs: option({
    flag: "stall-timeout",
    variables: [],
    kind: seconds(0.1, 3_600),
    fallback: 30_000,
    group: "Download",
    help: "Silence after which a connection is given up and tried again.",
  }),
  tries: option({
    flag: "tries",
    variables: [],
    kind: count(1, 1_000),
    fallback: 6,
    group: "Download",
    help: "Failures in a row, without progress between them, until a download is given up.",
  }),
  retryDelayMs: option({
    flag: "retry-delay",
    variables: [],
    kind: seconds(0, 60),
    fallback: 1_000,
    group: "Download",
    help: "Wait before the second try; it doubles up to 30 s.",
  }),
};

function portRange(): ValueKind<PortRange> {
  const schema = v.pipe(
    v.string(),
    v.regex(/^\d{1,5}-\d{1,5}$/),
    v.transform((range) => range.split("-").map(Number)),
    v.transform(([first = 0, last = 0]) => ({ first, last })),
    v.check(({ first, last }) => first >= 1 && first <= last && last <= 65_535),
  );
  return kind("first-last", "a range of ports such as 18080-18179", schema, ({ first, last }) => `${first}-${last}`);
}
