// The table of contents of the HTTP API: every route the relay answers, and the gates before all of them.
import type { Server } from "bun";
import { type Context, Hono, type Next } from "hono";
import type { Clock } from "../base/clock.ts";
import { RelayError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { VERSION } from "../base/version.ts";
import type { Hub } from "../hub/hub.ts";
import type { Caller } from "./admission.ts";
import { type BrowserRules, checkBrowser, corsHeaders, isAllowedOrigin } from "./browser-gate.ts";
import { dialectOf, RELAYED } from "./dialect.ts";
import { refusalResponse } from "./exchange.ts";
import { requestIdOf } from "./headers.ts";
import { getModel, listModels } from "./models-route.ts";
import { clientAddress, type TrustedProxies } from "./peer-address.ts";
import { isCanonicalPath, pathOf, rawTarget } from "./path-gate.ts";
import { relay, type RelayRouteWorld } from "./relay-route.ts";
import { welcome } from "./welcome.ts";

/** What Bun.serve hands to the app with each request. */
export interface EdgeBindings {
  readonly server: Pick<Server<never>, "timeout" | "requestIP">;
}

export interface EdgeWorld extends RelayRouteWorld {
  readonly hub: Hub;
  readonly clock: Clock;
  readonly log: Log;
  readonly browser: BrowserRules;
  readonly proxies: TrustedProxies;
  /** The operators' API and the description of the whole: answers for itself. */
  readonly mountAdmin: (app: EdgeApp) => void;
  /** Shown on the first page; null: the address the visitor used. */
  readonly publicUrl: string | null;
}

interface Variables {
  readonly target: string;
  readonly path: string;
  readonly requestId: string;
  /** The client's, as far as proxies we trust tell; found out when somebody asks. */
  readonly address: () => string;
}

type EdgeContext = Context<{ Bindings: EdgeBindings; Variables: Variables }>;
export type EdgeApp = Hono<{ Bindings: EdgeBindings; Variables: Variables }>;

export function createEdgeApp(world: EdgeWorld): EdgeApp {
  // Routes are compared with the path as it was sent; Hono's own reading decodes it, and misreads a URL without a host.
  const app: EdgeApp = new Hono({ getPath: ({ url }) => pathOf(rawTarget(url)) });
  const startedMs = world.clock.nowMs();

  app.use("*", (c, next) => tellLength(c, next));
  app.use("*", async (c, next) => {
    const { headers, url } = c.req.raw;
    const target = rawTarget(url);
    c.set("target", target);
    c.set("path", pathOf(target));
    c.set("requestId", requestIdOf(headers));
    c.set("address", () => addressOf(c, world.proxies));
    if (!isCanonicalPath(target)) throw new RelayError("invalid_path");
    checkBrowser(headers, world.browser);
    await next();
    c.res.headers.set("x-request-id", c.get("requestId"));
  });
  app.use("/v1/*", (c, next) => answerPages(c, next, world.browser));

  for (const [path, dialect] of RELAYED) {
    app.post(path, (c) =>
      relay(
        {
          request: c.req.raw,
          target: c.get("target"),
          dialect,
          requestId: c.get("requestId"),
          address: c.get("address"),
          setIdleSecs: idleSetter(c.env.server, c.req.raw),
        },
        world,
      ),
    );
    app.all(path, (c) => notAllowed(c, "POST"));
  }

  app.get("/v1/models", async (c) => listModels(world, await admit(c, world), isAnthropic(c)));
  app.all("/v1/models", (c) => notAllowed(c, "GET, HEAD"));
  app.get("/v1/models/*", async (c) => getModel(world, await admit(c, world), modelInPath(c.get("path")), isAnthropic(c)));
  app.all("/v1/models/*", (c) => notAllowed(c, "GET, HEAD"));

  app.get("/health", (c) => {
    const { size } = world.hub.fleet.workers;
    const uptime_secs = Math.round((world.clock.nowMs() - startedMs) / 100) / 10;
    const facts = { status: "ok", version: VERSION, workers_connected: size, queue_depth: world.hub.queueDepth, uptime_secs };
    return c.json(facts);
  });
  app.get("/livez", (c) => c.json({ status: "ok" }));
  app.get("/readyz", (c) => (world.isDraining() ? c.json({ status: "draining" }, 503) : c.json({ status: "ok" })));
  app.get("/", (c) => welcome(c.req.raw, world.publicUrl));
  for (const path of ["/health", "/livez", "/readyz", "/"]) app.all(path, (c) => notAllowed(c, "GET, HEAD"));
  world.mountAdmin(app);

  app.notFound((c) => {
    const isDoubled = c.get("path").startsWith("/v1/v1/");
    const detail = isDoubled ? "The path has /v1 twice: take /v1 off the base URL your client is set to." : null;
    return refuse(c, new RelayError("not_found", detail));
  });
  app.onError((error, c) => {
    if (error instanceof RelayError) return refuse(c, error);
    world.log.error("internal error", { request_id: c.get("requestId"), cause: error.message, stack: error.stack ?? null });
    return refuse(c, new RelayError("internal_error"));
  });
  return app;
}

/** HEAD is answered by GET's handler and without its body. Left alone, the length would become that of no body: 0. */
async function tellLength(c: EdgeContext, next: Next): Promise<void> {
  await next();
  if (c.req.raw.method !== "HEAD" || c.res.body === null) return;
  const { byteLength } = await c.res.arrayBuffer();
  c.res.headers.set("content-length", String(byteLength));
}

/** Pages of an allowed origin may read the answers of the client routes; preflights need no credential. */
async function answerPages(c: EdgeContext, next: Next, rules: BrowserRules): Promise<Response | void> {
  const { headers } = c.req.raw;
  const origin = headers.get("origin");
  if (origin === null || !isAllowedOrigin(origin, rules)) return next();
  if (c.req.method === "OPTIONS") return new Response(null, { status: 204, headers: corsHeaders(origin, headers) });
  await next();
  for (const [name, value] of Object.entries(corsHeaders(origin, headers))) c.res.headers.set(name, value);
  return undefined;
}

/** Made apart from the context: a stream would keep that whole otherwise. */
function idleSetter(server: EdgeBindings["server"], request: Request): (secs: number) => void {
  return (secs) => server.timeout(request, secs);
}

function addressOf(c: EdgeContext, proxies: TrustedProxies): string {
  const peer = c.env.server.requestIP(c.req.raw)?.address ?? "unknown";
  return clientAddress(peer, c.req.raw.headers.get("x-forwarded-for"), proxies);
}

async function admit(c: EdgeContext, world: EdgeWorld): Promise<Caller> {
  return world.admission.admit(c.req.raw.headers, c.get("address"));
}

function isAnthropic(c: EdgeContext): boolean {
  return c.req.raw.headers.has("anthropic-version");
}

function refuse(c: EdgeContext, { code, detail, retryAfterSecs }: RelayError): Response {
  const path = c.get("path");
  return refusalResponse(dialectOf(path, isAnthropic(c)), { code, detail, retryAfterSecs }, c.get("requestId"));
}

function notAllowed(c: EdgeContext, allow: string): Response {
  const response = refuse(c, new RelayError("method_not_allowed", `Use ${allow}.`));
  response.headers.set("allow", allow);
  return response;
}

function modelInPath(path: string): string {
  const encoded = path.slice("/v1/models/".length);
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw new RelayError("invalid_path");
  }
}
