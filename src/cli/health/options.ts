// Every option of `modelrelay health`.
import { baseUrl } from "../options/addresses.ts";
import { seconds } from "../options/kinds.ts";
import { option } from "../options/option.ts";

export const HEALTH_OPTIONS = {
  url: option({
    flag: "url",
    variables: ["PROXY_URL"],
    kind: baseUrl(["http", "https", "ws", "wss"]),
    fallback: null,
    fallbackText: "from LISTEN_ADDR, else http://127.0.0.1:8080",
    group: "General",
    help: "The relay's base URL.",
  }),
  timeoutMs: option({
    flag: "timeout",
    variables: [],
    kind: seconds(0.1),
    fallback: 5_000,
    group: "General",
    help: "How long the relay has to answer.",
  }),
};
