// Everything `modelrelay serve` can be told, checked and in final units.

export interface ServeConfig {
  readonly listen: { readonly host: string; readonly port: number };
  readonly workerSecret: string;
  /** The one provider this relay serves; workers of another are refused. */
  readonly provider: string;
  /** What pages and printed commands show; null: as listened on. */
  readonly publicUrl: string | null;
  /** Opens the admin API; null: it answers 403. */
  readonly adminToken: string | null;
  /** Client routes answer only requests with a good API key. */
  readonly requireApiKeys: boolean;
  /** Proxies whose `X-Forwarded-For` is believed: addresses or CIDR ranges. */
  readonly trustedProxies: readonly string[];
  /** The relay's own certificate; null: plain HTTP. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | null;

  readonly maxQueueLength: number;
  readonly queueTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly chunkTimeoutMs: number;
  readonly totalTimeoutMs: number;
  readonly modelGraceMs: number;
  readonly drainTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly sseKeepaliveAfterMs: number;
  /** 0: no keep-alive comments. */
  readonly sseKeepaliveMs: number;
  readonly bodyLimitBytes: number;

  /** Lower-case names of client headers let through to workers, on top of the allow-list. */
  readonly forwardHeaders: readonly string[];
  /** Browser origins that may use the client routes. */
  readonly corsOrigins: readonly string[];
  /** Host names a browser may use on a loopback bind, on top of the loopback ones and publicUrl's. */
  readonly allowedHosts: readonly string[];
}

/** The documented defaults, except what has none. */
export const SERVE_DEFAULTS = {
  listen: { host: "127.0.0.1", port: 8080 },
  provider: "local",
  publicUrl: null,
  adminToken: null,
  requireApiKeys: false,
  trustedProxies: [],
  tls: null,
  maxQueueLength: 100,
  queueTimeoutMs: 30_000,
  requestTimeoutMs: 300_000,
  chunkTimeoutMs: 120_000,
  totalTimeoutMs: 0,
  modelGraceMs: 30_000,
  drainTimeoutMs: 30_000,
  heartbeatIntervalMs: 15_000,
  sseKeepaliveAfterMs: 40_000,
  sseKeepaliveMs: 15_000,
  bodyLimitBytes: 32 * 1024 * 1024,
  forwardHeaders: [],
  corsOrigins: [],
  allowedHosts: [],
} as const satisfies Partial<ServeConfig>;
