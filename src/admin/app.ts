// The table of contents of the operators' API: everything under /admin behind one gate, and the description of the whole HTTP API.
import { Hono } from "hono";
import type { Clock } from "../base/clock.ts";
import { RelayError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Hub } from "../hub/hub.ts";
import { StoreUnavailable } from "../store/key-store.ts";
import type { AdminKeys } from "./admin-keys.ts";
import { createKey, listKeys, revokeKey } from "./keys-route.ts";
import { type AdminContext, type AdminVariables, answer, refuse, requestIdOf } from "./refusal.ts";
import { cancelRequest, listRequests } from "./requests-route.ts";
import { showStats } from "./stats-route.ts";
import { drainWorker, listWorkers, refreshWorker, resumeWorker } from "./workers-route.ts";

export interface AdminWorld {
  readonly hub: Hub;
  /** Null: this relay keeps no keys. */
  readonly keys: AdminKeys | null;
  readonly clock: Clock;
  readonly log: Log;
  /** The one provider this relay serves. */
  readonly provider: string;
  /** Do these request headers, from this client, hold a credential that opens the API? A RelayError thrown here is the answer. */
  readonly authorize: (headers: Headers, address: () => string) => Promise<boolean>;
  /** False: nobody can get in, and the refusal says why. */
  readonly isTokenConfigured: boolean;
}

export type AdminApp = Hono<{ Variables: AdminVariables }>;

/** Mounted at the root: `app.route("/", createAdminApp(world))`. What it refuses, it answers itself. */
export function createAdminApp(world: AdminWorld): AdminApp {
  const app: AdminApp = new Hono();
  const startedMs = world.clock.nowMs();
  let document: Promise<object> | null = null;

  app.use("/admin/*", async (c, next) => {
    if (!(await world.authorize(c.req.raw.headers, c.get("address") ?? unknownAddress))) throw forbidden(world);
    await next();
  });

  app.get("/admin/workers", (c) => listWorkers(c, world));
  app.all("/admin/workers", (c) => notAllowed(c, "GET, HEAD"));
  app.post("/admin/workers/:id/drain", (c) => drainWorker(c, world, c.req.param("id")));
  app.all("/admin/workers/:id/drain", (c) => notAllowed(c, "POST"));
  app.post("/admin/workers/:id/resume", (c) => resumeWorker(c, world, c.req.param("id")));
  app.all("/admin/workers/:id/resume", (c) => notAllowed(c, "POST"));
  app.post("/admin/workers/:id/refresh", (c) => refreshWorker(c, world, c.req.param("id")));
  app.all("/admin/workers/:id/refresh", (c) => notAllowed(c, "POST"));

  app.get("/admin/stats", (c) => showStats(c, world, startedMs));
  app.all("/admin/stats", (c) => notAllowed(c, "GET, HEAD"));

  app.get("/admin/requests", (c) => listRequests(c, world));
  app.all("/admin/requests", (c) => notAllowed(c, "GET, HEAD"));
  app.post("/admin/requests/:id/cancel", (c) => cancelRequest(c, world, c.req.param("id")));
  app.all("/admin/requests/:id/cancel", (c) => notAllowed(c, "POST"));

  app.get("/admin/keys", (c) => listKeys(c, world));
  app.post("/admin/keys", (c) => createKey(c, world));
  app.all("/admin/keys", (c) => notAllowed(c, "GET, HEAD, POST"));
  app.delete("/admin/keys/:id", (c) => revokeKey(c, world, c.req.param("id")));
  app.all("/admin/keys/:id", (c) => notAllowed(c, "DELETE"));

  app.all("/admin/*", () => {
    throw new RelayError("not_found", "GET /openapi.json describes what there is.");
  });

  app.get("/openapi.json", async (c) => answer(c, 200, await (document ??= describeApi())));
  app.all("/openapi.json", (c) => notAllowed(c, "GET, HEAD"));

  app.onError((error, c) => {
    if (error instanceof RelayError) return refuse(c, error);
    if (error instanceof StoreUnavailable) return refuse(c, new RelayError("store_unavailable", error.reason));
    world.log.error("internal error", { request_id: requestIdOf(c), cause: error.message, stack: error.stack ?? null });
    return refuse(c, new RelayError("internal_error"));
  });
  return app;
}

/** Loaded only when somebody asks, which keeps start-up quick. */
async function describeApi(): Promise<object> {
  const { openApiDocument } = await import("./openapi.ts");
  return openApiDocument();
}

const unknownAddress = (): string => "unknown";

function forbidden({ isTokenConfigured }: AdminWorld): RelayError {
  const why = isTokenConfigured
    ? null
    : "No admin token is configured: start the relay with --admin-token-file PATH or MODELRELAY_ADMIN_TOKEN.";
  return new RelayError("admin_forbidden", why);
}

function notAllowed(c: AdminContext, allow: string): Response {
  const response = refuse(c, new RelayError("method_not_allowed", `Use ${allow}.`));
  response.headers.set("allow", allow);
  return response;
}
