// `modelrelay serve`: builds the hub, the worker link and the HTTP API, listens, and takes it all down in order.
import type { Server } from "bun";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { createSecretMatcher } from "../base/secret.ts";
import { isLoopbackAddress, loopbackHosts } from "../edge/browser-gate.ts";
import { createEdgeApp, type EdgeApp } from "../edge/app.ts";
import { refusalResponse } from "../edge/exchange.ts";
import { requestIdOf } from "../edge/headers.ts";
import { pathOf, rawTarget } from "../edge/path-gate.ts";
import { Hub } from "../hub/hub.ts";
import { createLocalScheduler, type SchedulerSeam } from "../hub/seam.ts";
import { createAuthenticator } from "../link/authenticate.ts";
import { Link } from "../link/link.ts";
import type { SocketData } from "../link/wire.ts";
import { DEFAULT_LIMITS } from "../scheduler/events.ts";
import type { ServeConfig } from "./config.ts";

export interface RunningServer {
  readonly url: URL;
  /** For operators and tests. */
  readonly hub: Hub;
  /** SIGTERM: refuse new requests, finish the rest (up to the drain timeout), tell the workers, stop. */
  drain(): Promise<void>;
  /** At once. */
  stop(): Promise<void>;
}

export interface ServerWorld {
  readonly log: Log;
  readonly clock: Clock;
}

/** HTTP keep-alive, and the limit for a connection that is silent while it sends a request. */
const IDLE_SECS = 75;
/** A little above the body limit, so that a body just over it gets our answer rather than the runtime's. */
const BODY_SLACK_BYTES = 64 * 1024 * 1024;
/** What a draining relay tells its workers: come back when a successor may be listening. */
const RECONNECT_AFTER_MS = 1_000;
const FLUSH_DEADLINE_MS = 2_000;
const CONNECT_PATH = "/v1/worker/connect";

/** @throws the runtime's error (code EADDRINUSE, EACCES, ...) when it cannot listen */
export function startServer(config: ServeConfig, world: ServerWorld): RunningServer {
  const { log, clock } = world;
  const scheduler = startScheduler(config, clock);
  const hub = new Hub({ scheduler, clock, log, limits: { chunkTimeoutMs: config.chunkTimeoutMs } });
  const { workerSecret, provider, heartbeatIntervalMs } = config;
  const authenticate = createAuthenticator({ workerSecret, provider, log });
  const link = new Link({ hub, clock, log, heartbeatIntervalMs, authenticate });
  const state = { isDraining: false };
  const app: EdgeApp = createEdgeApp({
    hub,
    clock,
    log,
    bodyLimitBytes: config.bodyLimitBytes,
    keepaliveAfterMs: config.sseKeepaliveAfterMs,
    keepaliveMs: config.sseKeepaliveMs,
    forwardHeaders: config.forwardHeaders,
    isOurCredential: credentialsOf(config),
    isDraining: () => state.isDraining,
    browser: browserRules(config),
    publicUrl: config.publicUrl,
  });
  const server = listen(config, link, app, log);
  const url = new URL(`http://${hostInUrl(config.listen.host)}:${server.port}`);
  log.info("listening", { url: url.origin, provider });

  async function stop(): Promise<void> {
    state.isDraining = true;
    hub.failAll("shutdown");
    link.closeAll();
    await server.stop(true);
    scheduler.stop();
  }

  async function drain(): Promise<void> {
    state.isDraining = true;
    log.info("graceful shutdown", { requests: hub.requests.size, workers: hub.workers.size });
    await within(clock, config.drainTimeoutMs, hub.drain());
    hub.failAll("shutdown");
    for (const worker of hub.workers.values()) worker.handle.shutDown("relay is shutting down", config.drainTimeoutMs, RECONNECT_AFTER_MS);
    // Answers that are complete for us may still be on their way out.
    await within(clock, FLUSH_DEADLINE_MS, Promise.all([flushed(server, clock), workersGone(hub, clock)]));
    await stop();
  }

  return { url, hub, drain, stop };
}

function startScheduler(config: ServeConfig, clock: Clock): SchedulerSeam {
  const { queueTimeoutMs, requestTimeoutMs, totalTimeoutMs, maxQueueLength, modelGraceMs } = config;
  return createLocalScheduler({ ...DEFAULT_LIMITS, queueTimeoutMs, requestTimeoutMs, totalTimeoutMs, maxQueueLength, modelGraceMs }, clock);
}

function listen(config: ServeConfig, link: Link, app: EdgeApp, log: Log): Server<SocketData> {
  return Bun.serve<SocketData>({
    hostname: config.listen.host,
    port: config.listen.port,
    development: false,
    idleTimeout: IDLE_SECS,
    maxRequestBodySize: config.bodyLimitBytes + BODY_SLACK_BYTES,
    websocket: link.handler(),
    fetch(request, server) {
      if (pathOf(rawTarget(request.url)) === CONNECT_PATH) return connectWorker(request, server, link);
      return app.fetch(request, { server });
    },
    error(error) {
      log.error("internal error", { cause: error.message });
      return refusalResponse("chat", { code: "internal_error", detail: null }, "unknown");
    },
  });
}

function connectWorker(request: Request, server: Server<SocketData>, link: Link): Response | undefined {
  // Browsers send Origin with every WebSocket; workers never do.
  const requestId = requestIdOf(request.headers);
  if (request.headers.has("origin")) return refusalResponse("chat", { code: "origin_not_allowed", detail: null }, requestId);
  if (link.upgrade(request, server)) return undefined;
  const response = refusalResponse("chat", { code: "upgrade_required", detail: null }, requestId);
  response.headers.set("upgrade", "websocket");
  return response;
}

/** Values that must not be passed on to a backend as if they were its own key. */
function credentialsOf(config: ServeConfig): (value: string) => boolean {
  return createSecretMatcher([config.workerSecret, config.adminToken].filter((secret) => secret !== null));
}

function browserRules(config: ServeConfig): { corsOrigins: readonly string[]; allowedHosts: ReadonlySet<string> | null } {
  const { corsOrigins, listen, publicUrl, allowedHosts } = config;
  if (!isLoopbackAddress(listen.host)) return { corsOrigins, allowedHosts: null };
  const publicHost = publicUrl === null ? [] : [new URL(publicUrl).host];
  return { corsOrigins, allowedHosts: loopbackHosts([...allowedHosts, ...publicHost]) };
}

/** An address to reach it by from this machine. */
function hostInUrl(host: string): string {
  if (host === "0.0.0.0" || host === "") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

async function flushed(server: Server<SocketData>, clock: Clock): Promise<void> {
  await until(clock, () => server.pendingRequests === 0);
}

async function workersGone(hub: Hub, clock: Clock): Promise<void> {
  await until(clock, () => hub.workers.size === 0);
}

const LOOK_AGAIN_MS = 10;

/** Only while shutting down, for what the runtime offers no event. */
async function until(clock: Clock, isDone: () => boolean): Promise<void> {
  while (!isDone()) await new Promise<void>((resolve) => void clock.startTimer(LOOK_AGAIN_MS, resolve));
}

async function within(clock: Clock, limitMs: number, work: Promise<unknown>): Promise<void> {
  const limit = Promise.withResolvers<void>();
  const timer = clock.startTimer(limitMs, limit.resolve);
  await Promise.race([work, limit.promise]);
  timer.stop();
}
