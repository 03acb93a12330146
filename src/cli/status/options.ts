// Every option of `modelrelay status`.
import { flag, seconds } from "../options/kinds.ts";
import { option } from "../options/option.ts";
import { jsonOption } from "../options/standard.ts";
import { adminTokenOptions, relayOptions } from "../relay/options.ts";

const RELAY = "The relay";
const SHOWN = "What is shown";

export const STATUS_OPTIONS = {
  ...relayOptions(RELAY, 5_000),
  ...adminTokenOptions(RELAY, "none: less is shown"),
  watch: option({
    flag: "watch",
    variables: [],
    kind: flag(),
    fallback: false,
    group: SHOWN,
    help: "Keep showing it, until Ctrl+C.",
  }),
  intervalMs: option({
    flag: "interval",
    variables: [],
    kind: seconds(0.2, 3_600),
    fallback: 2_000,
    group: SHOWN,
    help: "With --watch: how often the relay is asked, in seconds.",
  }),
  json: jsonOption(SHOWN, "Print JSON instead of text: one object, with --watch one line each time."),
};
