// Every option of `modelrelay doctor`: those of `work`, so that the same flags, variables and config file do, and its own.
import { MODEL_NAME_MAX_CHARS } from "../../protocol/limits.ts";
import { text } from "../options/kinds.ts";
import { option } from "../options/option.ts";
import { apiKeyOptions, jsonOption } from "../options/standard.ts";
import { WORK_OPTIONS } from "../work/options.ts";

const DOCTOR = "What is tried";

export const DOCTOR_OPTIONS = {
  ...WORK_OPTIONS,
  model: option({
    flag: "model",
    variables: [],
    kind: text("name", MODEL_NAME_MAX_CHARS),
    fallback: null,
    fallbackText: "the first one found",
    group: DOCTOR,
    help: "The model that is asked for the test answers.",
  }),
  ...apiKeyOptions(DOCTOR, "A client's API key, for an answer through the relay; needed where the relay requires keys."),
  json: jsonOption(DOCTOR, "Print one JSON object at the end instead of text."),
};
