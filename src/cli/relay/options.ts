// The options of every command that asks a running relay something: where it is, how long it has, what to show it.
import { baseUrl } from "../options/addresses.ts";
import { path, seconds, secret } from "../options/kinds.ts";
import { option } from "../options/option.ts";
import { tlsCaOption } from "../options/standard.ts";

/** Where the relay is. `fallbackMs` is how long it has to answer. */
export function relayOptions(group: string, fallbackMs: number) {
  return {
    url: option({
      flag: "url",
      variables: ["PROXY_URL"],
      kind: baseUrl(["http", "https", "ws", "wss"]),
      fallback: null,
      fallbackText: "LISTEN_ADDR, else http://127.0.0.1:8080",
      group,
      help: "The relay's base URL.",
    }),
    tlsCa: tlsCaOption(group),
    timeoutMs: option({
      flag: "timeout",
      variables: [],
      kind: seconds(0.1),
      fallback: fallbackMs,
      group,
      help: "How long the relay has to answer, in seconds.",
    }),
  };
}

/** What opens the admin API. */
export function adminTokenOptions(group: string, fallbackText: string) {
  return {
    adminToken: option({
      flag: "admin-token",
      variables: ["MODELRELAY_ADMIN_TOKEN"],
      kind: secret(),
      fallback: null,
      fallbackText,
      group,
      help: "The relay's admin token, or a key with the scope admin.",
    }),
    adminTokenFile: option({
      flag: "admin-token-file",
      variables: ["MODELRELAY_ADMIN_TOKEN_FILE"],
      kind: path(),
      fallback: null,
      group,
      help: "A file that holds the admin token, which keeps it out of the process list.",
    }),
  };
}
