// The documented flags, variables and defaults, written out once more: a slip in a table shows here.
import { describe, expect, test } from "bun:test";
import { fileKey, type OptionTable } from "../../src/cli/options/option.ts";
import { SERVE_OPTIONS } from "../../src/cli/serve/options.ts";
import { UP_OPTIONS } from "../../src/cli/up/options.ts";
import { WORK_OPTIONS } from "../../src/cli/work/options.ts";
import { parseOptions } from "../../src/cli/options/parse.ts";

/** Flag, variables, default, a value to set and what it reads as. */
type Row = readonly [flag: string, variables: readonly string[], fallback: unknown, given: string, read: unknown];

const MIB = 1024 * 1024;

const SERVE: readonly Row[] = [
  ["listen", ["LISTEN_ADDR"], { host: "127.0.0.1", port: 8080 }, "0.0.0.0:9000", { host: "0.0.0.0", port: 9000 }],
  ["public-url", ["PUBLIC_URL"], null, "https://relay.example.com/", "https://relay.example.com"],
  ["provider", ["PROVIDER_NAME"], "local", "attic", "attic"],
  ["worker-secret", ["WORKER_SECRET"], null, "mysecret", "mysecret"],
  ["worker-secret-file", ["WORKER_SECRET_FILE"], null, "/run/secret", "/run/secret"],
  ["admin-token", ["MODELRELAY_ADMIN_TOKEN"], null, "my-admin-secret", "my-admin-secret"],
  ["admin-token-file", ["MODELRELAY_ADMIN_TOKEN_FILE"], null, "/run/token", "/run/token"],
  ["data-dir", ["MODELRELAY_DATA_DIR"], null, ":memory:", ":memory:"],
  ["database-url", ["DATABASE_URL"], null, "postgres://relay@db/keys", "postgres://relay@db/keys"],
  ["trusted-proxy", ["TRUSTED_PROXIES"], [], "10.0.0.0/8,::1", ["10.0.0.0/8", "::1"]],
  ["tls-cert", ["TLS_CERT"], null, "cert.pem", "cert.pem"],
  ["tls-key", ["TLS_KEY"], null, "key.pem", "key.pem"],
  ["require-api-keys", ["MODELRELAY_REQUIRE_API_KEYS"], false, "true", true],
  ["forward-header", ["FORWARD_HEADERS"], [], "X-Team,x-trace", ["x-team", "x-trace"]],
  ["cors-origin", ["CORS_ORIGINS"], [], "https://app.example.com", ["https://app.example.com"]],
  ["allowed-host", ["ALLOWED_HOSTS"], [], "Relay.lan", ["relay.lan"]],
  ["max-queue-len", ["MAX_QUEUE_LEN"], 100, "0", 0],
  ["queue-timeout", ["QUEUE_TIMEOUT_SECS"], 30_000, "1.5", 1_500],
  ["request-timeout", ["REQUEST_TIMEOUT_SECS"], 300_000, "0", 0],
  ["chunk-timeout", ["CHUNK_TIMEOUT_SECS"], 120_000, "60", 60_000],
  ["total-timeout", ["TOTAL_TIMEOUT_SECS"], 0, "600", 600_000],
  ["body-limit-mb", ["BODY_LIMIT_MB"], 32 * MIB, "64", 64 * MIB],
  ["model-grace", ["MODEL_GRACE_SECS"], 30_000, "5", 5_000],
  ["drain-timeout", ["DRAIN_TIMEOUT_SECS"], 30_000, "10", 10_000],
  ["heartbeat-interval", ["HEARTBEAT_INTERVAL_SECS"], 15_000, "0.2", 200],
  ["sse-keepalive-after", ["SSE_KEEPALIVE_AFTER_SECS"], 40_000, "20", 20_000],
  ["sse-keepalive", ["SSE_KEEPALIVE_SECS"], 15_000, "0", 0],
  ["log-level", ["LOG_LEVEL"], "info", "modelrelay_server=debug", "debug"],
  ["log-format", ["LOG_FORMAT"], "text", "json", "json"],
  ["log-file", ["LOG_FILE", "RUST_LOG_FILE"], null, "relay.log", "relay.log"],
];

const WORK: readonly Row[] = [
  ["proxy-url", ["PROXY_URL"], new URL("http://127.0.0.1:8080"), "wss://relay.example.com/llm", new URL("wss://relay.example.com/llm")],
  ["worker-secret", ["WORKER_SECRET"], null, "mysecret", "mysecret"],
  ["worker-secret-file", ["WORKER_SECRET_FILE"], null, "/run/secret", "/run/secret"],
  ["tls-ca", ["TLS_CA"], null, "ca.pem", "ca.pem"],
  ["backend-url", ["BACKEND_URL"], new URL("http://127.0.0.1:8000"), "http://gpu:11434", new URL("http://gpu:11434")],
  ["backend-api-key", ["BACKEND_API_KEY"], null, "sk-1", "sk-1"],
  ["backend-api-key-file", ["BACKEND_API_KEY_FILE"], null, "/run/key", "/run/key"],
  ["models", ["MODELS"], null, "llama3.2:3b,llama3.2:1b", ["llama3.2:3b", "llama3.2:1b"]],
  ["provider", ["PROVIDER_NAME"], "local", "attic", "attic"],
  ["worker-name", ["WORKER_NAME"], "worker", "gpu-box-4", "gpu-box-4"],
  ["max-concurrency", ["MAX_CONCURRENCY"], 1, "4", 4],
  ["drain-timeout", ["DRAIN_TIMEOUT_SECS"], 30_000, "0", 0],
  ["log-level", ["LOG_LEVEL"], "info", "modelrelay_worker=debug", "debug"],
  ["log-format", ["LOG_FORMAT"], "text", "json", "json"],
  ["log-file", ["LOG_FILE", "RUST_LOG_FILE"], null, "worker.log", "worker.log"],
];

/** The value one flag has under these arguments and variables. */
function valueOf(table: OptionTable, flag: string, args: readonly string[], env: Readonly<Record<string, string>>): unknown {
  const key = Object.keys(table).find((name) => table[name]!.flag === flag)!;
  return parseOptions("serve", table, args, env).values[key];
}

for (const [command, table, rows] of [
  ["serve", SERVE_OPTIONS, SERVE],
  ["work", WORK_OPTIONS, WORK],
] as const) {
  describe(command, () => {
    test.each(rows.map((row) => [row[0], row] as const))(`[K1] ${command} --%s has its documented variable and default`, (flag, row) => {
      const [, variables, fallback, given, read] = row;
      expect(valueOf(table, flag, [], {})).toEqual(fallback);
      expect(valueOf(table, flag, [`--${flag}`, given], {})).toEqual(read);
      expect(valueOf(table, flag, [`--${flag}=${given}`], {})).toEqual(read);
      for (const variable of variables) expect(valueOf(table, flag, [], { [variable]: given })).toEqual(read);
    });

    test(`[K1] ${command} has no option that is not documented here`, () => {
      const documented = new Set([...rows.map(([flag]) => flag), "config"]);
      const flags = Object.values<OptionTable[string]>(table).map((option) => option.flag);
      expect(flags.filter((flag) => !documented.has(flag))).toEqual([]);
    });
  });
}

test("[K1] every table has one flag, one file key and one help sentence per option, and the variables are its own", () => {
  for (const table of [SERVE_OPTIONS, WORK_OPTIONS, UP_OPTIONS]) {
    const options = Object.values<OptionTable[string]>(table);
    const variables = options.flatMap((option) => option.variables);
    expect(new Set(options.map((option) => option.flag)).size).toBe(options.length);
    expect(new Set(variables).size).toBe(variables.length);
    for (const option of options) {
      expect(option.help).toMatch(/^[A-Za-z].*\.$/);
      expect(fileKey(option)).toMatch(/^[a-z_]+$/);
    }
  }
});
