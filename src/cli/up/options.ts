// Every option of `modelrelay up`.
import { baseUrl } from "../options/addresses.ts";
import { flag, rate, text } from "../options/kinds.ts";
import { option } from "../options/option.ts";
import { ADDRESS_OPTIONS, CLIENT_OPTIONS, LIMIT_OPTIONS } from "../serve/options.ts";
import { CONFIG_OPTION, logOptions, workerSecretOptions } from "../options/standard.ts";
import { BACKEND_OPTIONS } from "../work/options.ts";
import { MODEL_NAME_MAX_CHARS } from "../../protocol/limits.ts";

const TRY = "Trying it out";

export const UP_OPTIONS = {
  ...ADDRESS_OPTIONS,
  config: CONFIG_OPTION,
  backendUrl: option({
    flag: "backend-url",
    variables: ["BACKEND_URL"],
    kind: baseUrl(["http", "https"]),
    fallback: null,
    fallbackText: "looked for at the usual ports",
    group: "Backend",
    help: "Base URL of the model server.",
  }),
  ...BACKEND_OPTIONS,
  model: option({
    flag: "model",
    variables: [],
    kind: text("name", MODEL_NAME_MAX_CHARS),
    fallback: null,
    fallbackText: "the first one found",
    group: TRY,
    help: "The model that the printed lines and the first request name.",
  }),
  demo: option({
    flag: "demo",
    variables: [],
    kind: flag(),
    fallback: false,
    group: TRY,
    help: "Use a small built-in backend named demo, which needs no model, and send it a first request.",
  }),
  demoSpeed: option({
    flag: "demo-speed",
    variables: [],
    kind: rate(0, 100_000),
    fallback: 40,
    group: TRY,
    help: "Tokens a second of the demo backend; 0: as fast as it can.",
  }),
  once: option({
    flag: "once",
    variables: [],
    kind: flag(),
    fallback: false,
    group: TRY,
    help: "Send one streamed request through the relay, print the answer and exit.",
  }),
  ...workerSecretOptions("Workers and access", "generated"),
  ...CLIENT_OPTIONS,
  ...LIMIT_OPTIONS,
  ...logOptions(["modelrelay_server", "modelrelay_worker", "modelrelay"], "warn"),
};
