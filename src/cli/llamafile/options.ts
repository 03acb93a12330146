// The options of the llamafile commands. Those that can be set for good are settings too: their flags are the keys of config.toml.
import * as v from "valibot";
import { SLOTS_MAX } from "../../protocol/limits.ts";
import { baseUrl } from "../options/addresses.ts";
import { count, flag, kind, path, rate, seconds, secret, text } from "../options/kinds.ts";
import { option, type ValueKind } from "../options/option.ts";
import { workerSecretOptions } from "../options/standard.ts";
import { isSafeUrl } from "../../llamafile/safe-url.ts";
import type { PortRange } from "../../llamafile/port.ts";

const GENERAL = "General";
const MODEL = "Model";
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

export const JSON_OPTION = {
  json: option({ flag: "json", variables: [], kind: flag(), fallback: false, group: GENERAL, help: "Print JSON instead of text." }),
};

/** How a model is run. */
const MODEL_OPTIONS = {
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
  tlsCa: option({
    flag: "tls-ca",
    variables: ["TLS_CA"],
    kind: path(),
    fallback: null,
    fallbackText: "this machine's",
    group: RELAY,
    help: "PEM file of the CA that signed the relay's certificate; no other is trusted then.",
  }),
};

export const WORKER_OPTIONS = {
  ...workerSecretOptions(RELAY, "none"),
  provider: option({
    flag: "provider",
    variables: ["PROVIDER_NAME"],
    kind: text("name", 128),
    fallback: "local",
    group: RELAY,
    help: "The provider the worker registers with; it has to be the relay's.",
  }),
  maxConcurrency: option({
    flag: "max-concurrency",
    variables: ["MAX_CONCURRENCY"],
    kind: count(1, SLOTS_MAX),
    fallback: 1,
    group: RELAY,
    help: "Requests the model gets at once.",
  }),
};

const API_KEY_OPTIONS = {
  apiKey: option({
    flag: "api-key",
    variables: ["MODELRELAY_API_KEY"],
    kind: secret(),
    fallback: null,
    group: RELAY,
    help: "The key that clients show to the relay, if it wants one.",
  }),
  apiKeyFile: option({
    flag: "api-key-file",
    variables: ["MODELRELAY_API_KEY_FILE"],
    kind: path(),
    fallback: null,
    group: RELAY,
    help: "A file that holds this key, which keeps it out of the process list.",
  }),
};

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

export const LIST_OPTIONS = {
  ...HOME_OPTIONS,
  ...JSON_OPTION,
  tag: option({
    flag: "tag",
    variables: [],
    kind: text("tag", 32),
    fallback: null,
    fallbackText: "every one",
    group: GENERAL,
    help: "Only models with this tag, such as chat, vision, reasoning, code, embedding or imported.",
  }),
};

export const RECOMMEND_OPTIONS = {
  ...HOME_OPTIONS,
  ...JSON_OPTION,
  ramGb: option({
    flag: "ram-gb",
    variables: [],
    kind: rate(0, 1_000_000),
    fallback: null,
    fallbackText: "this machine's",
    group: GENERAL,
    help: "Recommend for a machine with so much memory.",
  }),
  vramGb: option({
    flag: "vram-gb",
    variables: [],
    kind: rate(0, 1_000_000),
    fallback: null,
    fallbackText: "this machine's",
    group: GENERAL,
    help: "Recommend for a machine with so much graphics memory; 0: without a GPU.",
  }),
};

export const FETCH_OPTIONS = {
  ...HOME_OPTIONS,
  force: option({
    flag: "force",
    variables: [],
    kind: flag(),
    fallback: false,
    group: "Download",
    help: "Download again what is here already.",
  }),
  ...DOWNLOAD_OPTIONS,
};

export const RUN_OPTIONS = {
  ...HOME_OPTIONS,
  port: option({
    flag: "port",
    variables: [],
    kind: count(1, 65_535),
    fallback: null,
    fallbackText: "a free one of the range",
    group: MODEL,
    help: "The loopback port the model listens on.",
  }),
  foreground: option({
    flag: "foreground",
    variables: [],
    kind: flag(),
    fallback: false,
    group: MODEL,
    help: "Stay, show what the model says, and stop it at the end; for service managers and containers.",
  }),
  ...MODEL_OPTIONS,
  ...DOWNLOAD_OPTIONS,
};

export const SERVE_OPTIONS = { ...RUN_OPTIONS, ...RELAY_OPTIONS, ...WORKER_OPTIONS };

export const TEST_OPTIONS = {
  ...HOME_OPTIONS,
  prompt: option({
    flag: "prompt",
    variables: [],
    kind: text("text", 2_000),
    fallback: "Say hello in one short sentence.",
    group: GENERAL,
    help: "What the model is asked.",
  }),
  timeoutMs: option({
    flag: "timeout",
    variables: [],
    kind: seconds(0.1),
    fallback: 120_000,
    group: GENERAL,
    help: "How long an answer may take.",
  }),
  tlsCa: RELAY_OPTIONS.tlsCa,
  ...API_KEY_OPTIONS,
};

export const STOP_OPTIONS = {
  ...HOME_OPTIONS,
  graceMs: option({
    flag: "timeout",
    variables: [],
    kind: seconds(0.1, 3_600),
    fallback: 25_000,
    group: GENERAL,
    help: "How long a model has to end by itself; then it is ended.",
  }),
};

export const RESTART_OPTIONS = { ...STOP_OPTIONS, ...WORKER_OPTIONS, tlsCa: RELAY_OPTIONS.tlsCa, ...MODEL_OPTIONS };

export const LOGS_OPTIONS = {
  ...HOME_OPTIONS,
  follow: option({
    flag: "follow",
    variables: [],
    kind: flag(),
    fallback: false,
    group: GENERAL,
    help: "Go on showing what is written until Ctrl+C; -f means the same.",
  }),
  lines: option({ flag: "lines", variables: [], kind: count(0, 1_000_000), fallback: 50, group: GENERAL, help: "The last lines to show." }),
  worker: option({
    flag: "worker",
    variables: [],
    kind: flag(),
    fallback: false,
    group: GENERAL,
    help: "The worker's log, not the model's.",
  }),
};

export const IMPORT_OPTIONS = {
  ...HOME_OPTIONS,
  slug: option({
    flag: "slug",
    variables: [],
    kind: text("name", 64),
    fallback: null,
    fallbackText: "made of the file's name",
    group: GENERAL,
    help: "What the model is called, here and on the relay.",
  }),
  copy: option({
    flag: "copy",
    variables: [],
    kind: flag(),
    fallback: false,
    group: GENERAL,
    help: "Copy the file instead of linking to it.",
  }),
};

export const RM_OPTIONS = {
  ...HOME_OPTIONS,
  yes: option({ flag: "yes", variables: [], kind: flag(), fallback: false, group: GENERAL, help: "Do not ask." }),
};

export const UPDATE_OPTIONS = {
  ...HOME_OPTIONS,
  hub: option({
    flag: "hub",
    variables: ["HF_ENDPOINT"],
    kind: safeUrl(),
    fallback: new URL("https://huggingface.co"),
    group: GENERAL,
    help: "The Hugging Face hub, or a mirror of it, that is asked for Mozilla's llamafiles.",
  }),
  url: option({
    flag: "url",
    variables: [],
    kind: safeUrl(),
    fallback: null,
    fallbackText: "ask the hub",
    group: GENERAL,
    help: "A catalogue document, JSON or tab-separated, to take instead of asking the hub.",
  }),
  timeoutMs: option({
    flag: "timeout",
    variables: [],
    kind: seconds(0.1, 3_600),
    fallback: 30_000,
    group: GENERAL,
    help: "How long each answer may take.",
  }),
};

export const DOCTOR_OPTIONS = { ...HOME_OPTIONS, ...JSON_OPTION, ...RELAY_OPTIONS, ...WORKER_OPTIONS };

/** What `config set` takes. */
export const SETTINGS = {
  ...RELAY_OPTIONS,
  ...WORKER_OPTIONS,
  ...API_KEY_OPTIONS,
  ...MODEL_OPTIONS,
  defaultArgs: option({
    flag: "default-args",
    variables: [],
    kind: text("args", 4_000),
    fallback: null,
    group: MODEL,
    help: "Arguments that every llamafile gets before those after --.",
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

/** https, or http on this machine. */
function safeUrl(): ValueKind<URL> {
  const schema = v.pipe(
    v.string(),
    v.check(isSafeUrl),
    v.transform((url) => new URL(url)),
  );
  return kind("url", "a URL beginning with https:// (or http:// on this machine)", schema, (url) => url.href.replace(/\/+$/, ""));
}
