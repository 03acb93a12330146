// Everything `modelrelay work` can be told, checked and in final units.

export interface WorkConfig {
  /** http(s) or ws(s), with an optional path prefix. */
  readonly proxyUrl: URL;
  readonly workerSecret: string;
  /** PEM text: the only certificates the relay's may be signed with; null: those this machine trusts. */
  readonly tlsCa: string | null;
  /** http(s), with an optional path prefix. */
  readonly backendUrl: URL;
  /** The backend's own key, sent as `Authorization: Bearer`; null: none. */
  readonly backendApiKey: string | null;
  /** Null: ask the backend, and keep `default` routable. May hold "*": ask the backend, and serve anything. */
  readonly models: readonly string[] | null;
  readonly provider: string;
  readonly workerName: string;
  readonly maxConcurrency: number;
  readonly drainTimeoutMs: number;
}

export const WORK_DEFAULTS = {
  proxyUrl: "http://127.0.0.1:8080",
  tlsCa: null,
  backendUrl: "http://127.0.0.1:8000",
  backendApiKey: null,
  models: null,
  provider: "local",
  workerName: "worker",
  maxConcurrency: 1,
  drainTimeoutMs: 30_000,
} as const;
