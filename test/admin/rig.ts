// The operators' API on a socket of its own, over the hub of a real relay and a real key ring that keeps nothing on disk.
import { createAdminApp, type AdminWorld } from "../../src/admin/app.ts";
import { systemClock } from "../../src/base/clock.ts";
import { createSecretMatcher } from "../../src/base/secret.ts";
import { startKeyRing, type KeyRing } from "../../src/store/key-ring.ts";
import { openSqliteStore } from "../../src/store/sqlite-store.ts";
import { startTestRelay, type TestRelay } from "../support/running-relay.ts";

export const TOKEN = "the-admin-token";

export interface AdminRig extends AsyncDisposable {
  readonly url: string;
  /** Where clients and workers connect. */
  readonly relay: TestRelay;
  readonly ring: KeyRing;
  /** Asks as the operator. */
  ask(path: string, init?: RequestInit): Promise<Response>;
  /** Asks as the operator and reads the JSON answer; fails when the status is another. */
  json<Body = unknown>(path: string, init?: RequestInit, status?: number): Promise<Body>;
  createKey(body: unknown): Promise<Response>;
}

/** What is not the usual, for this test. */
export type AdminSetting = Partial<AdminWorld>;

export async function startAdminRig(setting: AdminSetting = {}): Promise<AdminRig> {
  const relay = startTestRelay();
  const { log, hub } = relay;
  const store = openSqliteStore(":memory:", systemClock);
  const ring = await startKeyRing({ store, clock: systemClock, log });
  const isToken = createSecretMatcher([TOKEN]);
  const app = createAdminApp({
    hub,
    keys: ring,
    clock: systemClock,
    log,
    provider: "local",
    authorize: async (headers) => isToken((headers.get("authorization") ?? "").replace(/^bearer /i, "")),
    isTokenConfigured: true,
    ...setting,
  });
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, development: false, fetch: (request) => app.fetch(request) });
  const url = `http://127.0.0.1:${server.port}`;

  function ask(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (!headers.has("authorization")) headers.set("authorization", `Bearer ${TOKEN}`);
    return fetch(`${url}${path}`, { ...init, headers });
  }

  return {
    url,
    relay,
    ring,
    ask,
    async json(path, init, status = 200) {
      const response = await ask(path, init);
      const text = await response.text();
      if (response.status !== status) throw new Error(`${path} answered ${response.status}: ${text}`);
      return JSON.parse(text);
    },
    createKey: (body) => ask("/admin/keys", { method: "POST", body: JSON.stringify(body) }),
    async [Symbol.asyncDispose]() {
      try {
        await relay[Symbol.asyncDispose]();
      } finally {
        await server.stop(true);
        await ring.stop();
        await store.close();
      }
    },
  };
}

/** The `error` of a refusal in the relay's own shape. */
export async function errorOf(response: Response): Promise<{ readonly code: string; readonly message: string }> {
  const body: { readonly error: { readonly code: string; readonly message: string; readonly request_id: string } } = JSON.parse(
    await response.text(),
  );
  if (body.error.request_id !== response.headers.get("x-request-id")) throw new Error("body and header have different request ids");
  return body.error;
}
