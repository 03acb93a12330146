// The options of each llamafile command. Those that can be set for good are settings too: their flags are the keys of config.toml.
import * as v from "valibot";
import { isSafeUrl } from "../../llamafile/safe-url.ts";
import { count, flag, kind, rate, seconds, text } from "../options/kinds.ts";
import { option, type ValueKind } from "../options/option.ts";
import {
  API_KEY_OPTIONS,
  DOWNLOAD_OPTIONS,
  GENERAL,
  HOME_OPTIONS,
  JSON_OPTION,
  MODEL,
  MODEL_OPTIONS,
  RELAY_OPTIONS,
  WORKER_OPTIONS,
} from "./option-groups.ts";

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
  cores: option({
    flag: "cores",
    variables: [],
    kind: count(1, 4_096),
    fallback: null,
    fallbackText: "this machine's",
    group: GENERAL,
    help: "Recommend for a machine with so many processor cores.",
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

/** https, or http on this machine. */
function safeUrl(): ValueKind<URL> {
  const schema = v.pipe(
    v.string(),
    v.check(isSafeUrl),
    v.transform((url) => new URL(url)),
  );
  return kind("url", "a URL beginning with https:// (or http:// on this machine)", schema, (url) => url.href.replace(/\/+$/, ""));
}
