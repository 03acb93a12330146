// `modelrelay serve`: builds the hub, the worker link and the HTTP API, listens, and takes it all down in order.
import { createAdminApp } from "../admin/app.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { createEdgeApp, type EdgeApp } from "../edge/app.ts";
import { isLoopbackAddress, loopbackHosts } from "../edge/browser-gate.ts";
import { refusalResponse } from "../edge/exchange.ts";
import { requestIdOf } from "../edge/headers.ts";
import { pathOf, rawTarget } from "../edge/path-gate.ts";
import { clientAddress, type TrustedProxies, trustedProxies } from "../edge/peer-address.ts";
import { Uploads } from "../edge/uploads.ts";
import { Hub } from "../hub/hub.ts";
import { createLocalScheduler, type SchedulerSeam } from "../hub/seam.ts";
import { Link } from "../link/link.ts";
import { DEFAULT_LIMITS } from "../scheduler/events.ts";
import type { KeyRing } from "../store/key-ring.ts";
import { type Access, createAccess } from "./access.ts";
import type { ServeConfig } from "./config.ts";
import { Listener, type RelayServer } from "./listener.ts";
import { readTls, type TlsMaterial, watchTls } from "./tls.ts";

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
  /** Missing: this relay keeps no keys. Whoever started the ring stops it, after the server. */
  readonly keys?: KeyRing | null;
}

/** A little above the body limit, so that a body just over it gets our answer rather than the runtime's. */
const BODY_SLACK_BYTES = 64 * 1024 * 1024;
/** What a draining relay tells its workers: come back when a successor may be listening. */
const RECONNECT_AFTER_MS = 1_000;
const FLUSH_DEADLINE_MS = 2_000;
/** A little more than a broken stream is given to tell its client why. */
const FAREWELL_MS = 600;
const CONNECT_PATH = "/v1/worker/connect";

/** @throws UsageError for an unusable certificate, or the runtime's error (code EADDRINUSE, EACCES, ...) when it cannot listen */
export function startServer(config: ServeConfig, world: ServerWorld): RunningServer {
  const { log, clock, keys = null } = world;
  const { provider, heartbeatIntervalMs } = config;
  const tls = config.tls === null ? null : readTls(config.tls);
  const scheduler = startScheduler(config, clock);
  const hub = new Hub({ scheduler, clock, log, limits: { chunkTimeoutMs: config.chunkTimeoutMs } });
  const access = createAccess(config, keys, { clock, log });
  const link = new Link({ hub, clock, log, heartbeatIntervalMs, authenticate: access.authenticateWorker });
  const stopHearing = keys?.onEnded((key) => {
    hub.failKey(key.id);
    link.closeKey(key.id);
  });
  const state = { isDraining: false };
  const proxies = trustedProxies(config.trustedProxies);
  const uploads = new Uploads();
  const app = createApp(config, world, { hub, access, proxies, uploads, isDraining: () => state.isDraining });
  const listener = listen(config, tls, { link, app, proxies, log });
  const watch = config.tls === null ? null : watchTls(config.tls, { clock, log }, (changed) => listener.replaceTls(changed));
  const url = new URL(`${tls === null ? "http" : "https"}://${hostInUrl(config.listen.host)}:${listener.port}`);
  log.info("listening", { url: url.origin, provider });

  async function stop(): Promise<void> {
    state.isDraining = true;
    watch?.stop();
    hub.failAll("shutdown");
    link.closeAll();
    await listener.stop();
    stopHearing?.();
    scheduler.stop();
  }

  async function drain(): Promise<void> {
    state.isDraining = true;
    log.info("graceful shutdown", { requests: hub.requests.size, workers: hub.fleet.workers.size });
    // At once: the sooner their clients know, the sooner they ask the successor. Some look for an answer only between two pieces.
    const toldUploads = uploads.refuseAll("draining") > 0 ? pause(clock, FAREWELL_MS) : null;
    await within(clock, config.drainTimeoutMs, hub.drain());
    if (hub.requests.size > 0) {
      hub.failAll("shutdown");
      // What says so in the streams must be on its way before anything is closed.
      await pause(clock, FAREWELL_MS);
    }
    for (const worker of hub.fleet.workers.values())
      worker.handle.shutDown("relay is shutting down", config.drainTimeoutMs, RECONNECT_AFTER_MS);
    // Answers that are complete for us may still be on their way out.
    const isQuiet = (): boolean => listener.pendingRequests === 0 && hub.fleet.workers.size === 0;
    await within(clock, FLUSH_DEADLINE_MS, until(clock, isQuiet));
    await toldUploads;
    await stop();
  }

  return { url, hub, drain, stop };
}

interface Parts {
  readonly hub: Hub;
  readonly access: Access;
  readonly proxies: TrustedProxies;
  readonly uploads: Uploads;
  readonly isDraining: () => boolean;
}

function createApp(config: ServeConfig, { log, clock, keys = null }: ServerWorld, parts: Parts): EdgeApp {
  const { hub, access, proxies, uploads, isDraining } = parts;
  const admin = createAdminApp({
    hub,
    keys,
    clock,
    log,
    provider: config.provider,
    authorize: access.isOperator,
    isTokenConfigured: config.adminToken !== null,
  });
  return createEdgeApp({
    hub,
    clock,
    log,
    admission: access.admission,
    bodyLimitBytes: config.bodyLimitBytes,
    keepaliveAfterMs: config.sseKeepaliveAfterMs,
    keepaliveMs: config.sseKeepaliveMs,
    forwardHeaders: config.forwardHeaders,
    uploads,
    isDraining,
    browser: browserRules(config),
    proxies,
    mountAdmin: (app) => void app.route("/", admin),
    publicUrl: config.publicUrl,
  });
}

function startScheduler(config: ServeConfig, clock: Clock): SchedulerSeam {
  const { queueTimeoutMs, requestTimeoutMs, totalTimeoutMs, maxQueueLength, modelGraceMs } = config;
  return createLocalScheduler({ ...DEFAULT_LIMITS, queueTimeoutMs, requestTimeoutMs, totalTimeoutMs, maxQueueLength, modelGraceMs }, clock);
}

interface Wiring {
  readonly link: Link;
  readonly app: EdgeApp;
  readonly proxies: TrustedProxies;
  readonly log: Log;
}

function listen(config: ServeConfig, tls: TlsMaterial | null, { link, app, proxies, log }: Wiring): Listener {
  return new Listener({
    host: config.listen.host,
    port: config.listen.port,
    tls,
    maxBodyBytes: config.bodyLimitBytes + BODY_SLACK_BYTES,
    websocket: link.handler(),
    fetch: (request, server) => {
      if (pathOf(rawTarget(request.url)) === CONNECT_PATH) return connectWorker(request, server, link, proxies);
      return app.fetch(request, { server });
    },
    onError: (error) => {
      log.error("internal error", { cause: error.message });
      return refusalResponse("chat", { code: "internal_error", detail: null }, "unknown");
    },
  });
}

async function connectWorker(request: Request, server: RelayServer, link: Link, proxies: TrustedProxies): Promise<Response | undefined> {
  const { headers } = request;
  const requestId = requestIdOf(headers);
  // Browsers send Origin with every WebSocket; workers never do.
  if (headers.has("origin")) return refusalResponse("chat", { code: "origin_not_allowed", detail: null }, requestId);
  const address = clientAddress(server.requestIP(request)?.address ?? "unknown", headers.get("x-forwarded-for"), proxies);
  if (await link.upgrade(request, server, address)) return undefined;
  const response = refusalResponse("chat", { code: "upgrade_required", detail: null }, requestId);
  response.headers.set("upgrade", "websocket");
  return response;
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

const LOOK_AGAIN_MS = 10;

/** Only while shutting down, for what the runtime offers no event. */
async function until(clock: Clock, isDone: () => boolean): Promise<void> {
  while (!isDone()) await pause(clock, LOOK_AGAIN_MS);
}

async function pause(clock: Clock, ms: number): Promise<void> {
  await new Promise<void>((resolve) => void clock.startTimer(ms, resolve));
}

async function within(clock: Clock, limitMs: number, work: Promise<unknown>): Promise<void> {
  const limit = Promise.withResolvers<void>();
  const timer = clock.startTimer(limitMs, limit.resolve);
  await Promise.race([work, limit.promise]);
  timer.stop();
}
