// Every option of `modelrelay bench`.
import { API_NAMES } from "../../load/apis.ts";
import { MODEL_NAME_MAX_CHARS } from "../../protocol/limits.ts";
import { count, flag, oneOf, path, rate, seconds, text } from "../options/kinds.ts";
import { option } from "../options/option.ts";
import { apiKeyOptions, jsonOption } from "../options/standard.ts";
import { relayOptions } from "../relay/options.ts";

const TARGET = "Target";
const LOAD = "Load";
const REQUEST = "Request";

export const REQUESTS_FALLBACK = 100;
/** Each waits for its answer. */
export const CONCURRENCY_FALLBACK = 10;
/** With a rate it is only a bound: connections are opened as they are needed. */
export const CONCURRENCY_FALLBACK_AT_RATE = 1_000;
const PROMPT_FALLBACK = "Describe the sea on a quiet morning, in a few sentences.";
const MAX_TOKENS_FALLBACK = 64;

const { url, tlsCa } = relayOptions(TARGET, 0);

export const BENCH_OPTIONS = {
  url: { ...url, help: "The base URL of the endpoint, with or without /v1; a relay, or anything that speaks such an API." },
  tlsCa: { ...tlsCa, help: "PEM file of the CA that signed the endpoint's certificate; no other is trusted then." },
  api: option({
    flag: "api",
    variables: [],
    kind: { ...oneOf(API_NAMES), hint: "api" },
    fallback: "chat",
    group: TARGET,
    help: `The API to send requests of: ${API_NAMES.join(", ")}.`,
  }),
  model: option({
    flag: "model",
    variables: [],
    kind: text("name", MODEL_NAME_MAX_CHARS),
    fallback: null,
    fallbackText: "the first that /v1/models lists",
    group: TARGET,
    help: "The model to ask for.",
  }),
  ...apiKeyOptions(TARGET, "The API key to send."),
  requests: option({
    flag: "requests",
    variables: [],
    kind: count(1, 1_000_000_000),
    fallback: null,
    fallbackText: `${REQUESTS_FALLBACK}, unless --duration is given`,
    group: LOAD,
    help: "How many requests to send.",
  }),
  durationMs: option({
    flag: "duration",
    variables: [],
    kind: seconds(0.1, 7 * 24 * 3600),
    fallback: null,
    group: LOAD,
    help: "How long to go on starting requests, in seconds; with --requests, whichever is reached first ends it.",
  }),
  concurrency: option({
    flag: "concurrency",
    variables: [],
    kind: count(1, 10_000),
    fallback: null,
    fallbackText: `${CONCURRENCY_FALLBACK}, with --rate ${CONCURRENCY_FALLBACK_AT_RATE}`,
    group: LOAD,
    help: "Requests at a time, and so connections, at most.",
  }),
  rate: option({
    flag: "rate",
    variables: [],
    kind: rate(0.001, 100_000),
    fallback: null,
    fallbackText: "as fast as answers come",
    group: LOAD,
    help:
      "Requests per second that are meant to start, whatever became of those before; latencies then count from the intended start, " +
      "so that waiting for a free connection is not left out.",
  }),
  arrivals: option({
    flag: "arrivals",
    variables: [],
    kind: oneOf(["poisson", "constant"]),
    fallback: "poisson",
    group: LOAD,
    help: "Of --rate: starts at random, as those of many independent people, or evenly.",
  }),
  warmUp: option({
    flag: "warm-up",
    variables: [],
    kind: count(0, 1_000_000),
    fallback: 0,
    group: LOAD,
    help: "Requests to send before, which are not measured; models load and caches fill.",
  }),
  timeoutMs: option({
    flag: "timeout",
    variables: [],
    kind: seconds(0.1),
    fallback: 300_000,
    group: LOAD,
    help: "How long each answer may take until it is complete, in seconds.",
  }),
  stream: option({
    flag: "stream",
    variables: [],
    kind: flag(),
    fallback: false,
    group: REQUEST,
    help: "Ask for streams; shows the time to the first chunk and between chunks.",
  }),
  prompt: option({
    flag: "prompt",
    variables: [],
    kind: text("text", 100_000),
    fallback: PROMPT_FALLBACK,
    fallbackText: "a short question",
    group: REQUEST,
    help: "What to ask.",
  }),
  maxTokens: option({
    flag: "max-tokens",
    variables: [],
    kind: count(1, 1_000_000),
    fallback: MAX_TOKENS_FALLBACK,
    group: REQUEST,
    help: "How long an answer may be, in tokens.",
  }),
  bodyFile: option({
    flag: "body-file",
    variables: [],
    kind: path(),
    fallback: null,
    group: REQUEST,
    help:
      "Bodies to send instead: one JSON object, or one on each line, sent in turn. --model and --stream, where given, replace what " +
      "they say.",
  }),
  json: jsonOption("Output", "Print the report as JSON instead of a table."),
};
