// Every option of `modelrelay serve`.
import { SERVE_DEFAULTS } from "../../server/config.ts";
import { listenAddress, publicUrl } from "../options/addresses.ts";
import { addressRanges, count, flag, headerNames, hostNames, megabytes, origins, path, seconds, secret } from "../options/kinds.ts";
import { option } from "../options/option.ts";
import { CONFIG_OPTION, logOptions, providerOption, workerSecretOptions } from "../options/standard.ts";

const ACCESS = "Workers and access";
const LIMITS = "Limits";

/** How long and how much; `modelrelay up` takes these too. */
export const LIMIT_OPTIONS = {
  maxQueueLength: option({
    flag: "max-queue-len",
    variables: ["MAX_QUEUE_LEN"],
    kind: count(0, 1_000_000),
    fallback: SERVE_DEFAULTS.maxQueueLength,
    group: LIMITS,
    help: "Requests that may wait for a worker; 0: no limit by count.",
  }),
  queueTimeoutMs: option({
    flag: "queue-timeout",
    variables: ["QUEUE_TIMEOUT_SECS"],
    kind: seconds(0),
    fallback: SERVE_DEFAULTS.queueTimeoutMs,
    group: LIMITS,
    help: "Time a request may wait for a worker; 0: no limit.",
  }),
  requestTimeoutMs: option({
    flag: "request-timeout",
    variables: ["REQUEST_TIMEOUT_SECS"],
    kind: seconds(0),
    fallback: SERVE_DEFAULTS.requestTimeoutMs,
    group: LIMITS,
    help: "Arrival to the backend's first byte, or to the whole answer when it does not stream; 0: no limit.",
  }),
  chunkTimeoutMs: option({
    flag: "chunk-timeout",
    variables: ["CHUNK_TIMEOUT_SECS"],
    kind: seconds(0),
    fallback: SERVE_DEFAULTS.chunkTimeoutMs,
    group: LIMITS,
    help: "Silence allowed between the chunks of a stream; 0: no limit.",
  }),
  totalTimeoutMs: option({
    flag: "total-timeout",
    variables: ["TOTAL_TIMEOUT_SECS"],
    kind: seconds(0),
    fallback: SERVE_DEFAULTS.totalTimeoutMs,
    group: LIMITS,
    help: "A whole request, streams included; 0: no limit.",
  }),
  bodyLimitBytes: option({
    flag: "body-limit-mb",
    variables: ["BODY_LIMIT_MB"],
    // As escaped text it must fit into one v1 frame.
    kind: megabytes(1, 64),
    fallback: SERVE_DEFAULTS.bodyLimitBytes,
    group: LIMITS,
    help: "The largest request body, in MiB.",
  }),
  modelGraceMs: option({
    flag: "model-grace",
    variables: ["MODEL_GRACE_SECS"],
    kind: seconds(0),
    fallback: SERVE_DEFAULTS.modelGraceMs,
    group: LIMITS,
    help: "How long a model stays known after its last worker left, or after start; 0: not at all.",
  }),
  drainTimeoutMs: option({
    flag: "drain-timeout",
    variables: ["DRAIN_TIMEOUT_SECS"],
    kind: seconds(0),
    fallback: SERVE_DEFAULTS.drainTimeoutMs,
    group: LIMITS,
    help: "Time running requests have to finish after the first stop signal; 0: none.",
  }),
  heartbeatIntervalMs: option({
    flag: "heartbeat-interval",
    variables: ["HEARTBEAT_INTERVAL_SECS"],
    // Workers take a relay that is silent for 90 s for dead.
    kind: seconds(0.1, 30),
    fallback: SERVE_DEFAULTS.heartbeatIntervalMs,
    group: LIMITS,
    help: "Time between pings to a worker; one that is silent for three of them is lost.",
  }),
  sseKeepaliveAfterMs: option({
    flag: "sse-keepalive-after",
    variables: ["SSE_KEEPALIVE_AFTER_SECS"],
    kind: seconds(0),
    fallback: SERVE_DEFAULTS.sseKeepaliveAfterMs,
    group: LIMITS,
    help: "A stream without a byte for this long gets its status and keep-alive comments; 0: at once.",
  }),
  sseKeepaliveMs: option({
    flag: "sse-keepalive",
    variables: ["SSE_KEEPALIVE_SECS"],
    kind: seconds(0),
    fallback: SERVE_DEFAULTS.sseKeepaliveMs,
    group: LIMITS,
    help: "Time between keep-alive comments; 0: none are sent.",
  }),
};

/** Where the relay is and what it says it is. */
export const ADDRESS_OPTIONS = {
  listen: option({
    flag: "listen",
    variables: ["LISTEN_ADDR"],
    kind: listenAddress(),
    fallback: SERVE_DEFAULTS.listen,
    group: "General",
    help: "Address to listen on: host:port, :port (every IPv4 address; [::]:port has IPv6 too) or port (this machine); port 0 takes a free one.",
  }),
  publicUrl: option({
    flag: "public-url",
    variables: ["PUBLIC_URL"],
    kind: publicUrl(),
    fallback: SERVE_DEFAULTS.publicUrl,
    group: "General",
    help: "The relay's URL as clients see it, for pages and printed commands.",
  }),
};

/** What clients may send, and which web pages are clients; `modelrelay up` takes these too. */
export const CLIENT_OPTIONS = {
  forwardHeaders: option({
    flag: "forward-header",
    variables: ["FORWARD_HEADERS"],
    kind: headerNames(),
    fallback: SERVE_DEFAULTS.forwardHeaders,
    group: ACCESS,
    help: "A client header let through to workers, on top of the usual ones; repeatable.",
  }),
  corsOrigins: option({
    flag: "cors-origin",
    variables: ["CORS_ORIGINS"],
    kind: origins(),
    fallback: SERVE_DEFAULTS.corsOrigins,
    group: ACCESS,
    help: "An origin whose web pages may use the relay; repeatable.",
  }),
  allowedHosts: option({
    flag: "allowed-host",
    variables: ["ALLOWED_HOSTS"],
    kind: hostNames(),
    fallback: SERVE_DEFAULTS.allowedHosts,
    group: ACCESS,
    help: "A host name browsers may use when the relay listens on this machine only; repeatable.",
  }),
};

export const SERVE_OPTIONS = {
  ...ADDRESS_OPTIONS,
  config: CONFIG_OPTION,
  provider: providerOption("The one provider this relay serves; workers of another are refused.", ACCESS),
  ...workerSecretOptions(ACCESS, "required"),
  adminToken: option({
    flag: "admin-token",
    variables: ["MODELRELAY_ADMIN_TOKEN"],
    kind: secret(),
    fallback: SERVE_DEFAULTS.adminToken,
    group: ACCESS,
    help: "Bearer token for /admin/*; without one these answer 403.",
  }),
  adminTokenFile: option({
    flag: "admin-token-file",
    variables: ["MODELRELAY_ADMIN_TOKEN_FILE"],
    kind: path(),
    fallback: null,
    group: ACCESS,
    help: "A file that holds the admin token.",
  }),
  dataDir: option({
    flag: "data-dir",
    variables: ["MODELRELAY_DATA_DIR"],
    kind: path(),
    fallback: null,
    group: ACCESS,
    help: "Directory of the key store, or :memory: to keep nothing; unset: this platform's state directory.",
  }),
  databaseUrl: option({
    flag: "database-url",
    variables: ["DATABASE_URL"],
    kind: secret(),
    fallback: null,
    group: ACCESS,
    help: "A Postgres database for the keys instead of a directory, such as postgres://user@host/name.",
  }),
  trustedProxies: option({
    flag: "trusted-proxy",
    variables: ["TRUSTED_PROXIES"],
    kind: addressRanges(),
    fallback: SERVE_DEFAULTS.trustedProxies,
    group: ACCESS,
    help: "A proxy whose X-Forwarded-For is believed: an address or a CIDR range; repeatable.",
  }),
  tlsCert: option({
    flag: "tls-cert",
    variables: ["TLS_CERT"],
    kind: path(),
    fallback: null,
    group: ACCESS,
    help: "PEM file of the relay's certificate and its chain; then it speaks https and wss.",
  }),
  tlsKey: option({
    flag: "tls-key",
    variables: ["TLS_KEY"],
    kind: path(),
    fallback: null,
    group: ACCESS,
    help: "PEM file of the certificate's private key.",
  }),
  requireApiKeys: option({
    flag: "require-api-keys",
    variables: ["MODELRELAY_REQUIRE_API_KEYS"],
    kind: flag(),
    fallback: false,
    group: ACCESS,
    help: "Answer only clients that show an API key.",
  }),
  ...CLIENT_OPTIONS,
  ...LIMIT_OPTIONS,
  ...logOptions(["modelrelay_server", "modelrelay"], "info"),
};
