// A relay that keeps keys, as tests of who may do what need it: its operator, its keys, and the ways a client can show one.
import { systemClock } from "../../src/base/clock.ts";
import type { ServeConfig } from "../../src/server/config.ts";
import type { ServerWorld } from "../../src/server/server.ts";
import { type ApiKey, type KeyTerms, plainTerms } from "../../src/store/api-key.ts";
import { type KeyRing, startKeyRing } from "../../src/store/key-ring.ts";
import type { KeyStore } from "../../src/store/key-store.ts";
import { FakeStore } from "../store/fake-store.ts";
import { createRecordingLog } from "../support/recording-log.ts";
import { startTestRelay, type TestRelay } from "../support/running-relay.ts";

export const ADMIN_TOKEN = "the-admin-token-of-this-test";

export interface SecuredScript<Store extends KeyStore = FakeStore> {
  readonly store?: Store;
  readonly clock?: ServerWorld["clock"];
  readonly relay?: Partial<ServeConfig>;
}

export interface SecuredRelay<Store extends KeyStore = FakeStore> extends AsyncDisposable {
  readonly relay: TestRelay;
  readonly ring: KeyRing;
  readonly store: Store;
  /** Makes a key and gives its secret; an `infer` key without limits unless told otherwise. */
  secret(terms?: Partial<KeyTerms>): Promise<string>;
  made(terms?: Partial<KeyTerms>): Promise<{ readonly key: ApiKey; readonly secret: string }>;
  /** Asks as the operator. */
  operator(method: string, path: string, body?: object): Promise<Response>;
}

/** Keys are required, and there is an admin token, unless told otherwise. */
export async function startSecured(script: SecuredScript = {}): Promise<SecuredRelay> {
  return await startSecuredOn(script.store ?? new FakeStore(), script);
}

export async function startSecuredOn<Store extends KeyStore>(
  store: Store,
  script: Omit<SecuredScript, "store"> = {},
): Promise<SecuredRelay<Store>> {
  const clock = script.clock ?? systemClock;
  const ring = await startKeyRing({ store, clock, log: createRecordingLog() });
  const relay = startTestRelay({ requireApiKeys: true, adminToken: ADMIN_TOKEN, ...script.relay }, { keys: ring, clock });
  const made = (terms: Partial<KeyTerms> = {}) => ring.create({ ...plainTerms("test"), ...terms });
  return {
    relay,
    ring,
    store,
    made,
    secret: async (terms) => (await made(terms)).secret,
    operator: (method, path, body) =>
      fetch(relay.at(path), { method, headers: bearer(ADMIN_TOKEN), ...(body === undefined ? {} : { body: JSON.stringify(body) }) }),
    async [Symbol.asyncDispose]() {
      try {
        await relay[Symbol.asyncDispose]();
      } finally {
        await ring.stop();
        await store.close();
      }
    },
  };
}

export function bearer(credential: string): { readonly authorization: string } {
  return { authorization: `Bearer ${credential}` };
}

/** The refusal's code in either dialect's body, the status, and when to come back. */
export async function refusalOf(response: Response): Promise<readonly [status: number, code: string, retryAfter: string | null]> {
  const body: { readonly error: { readonly code?: string; readonly type: string } } = JSON.parse(await response.text());
  return [response.status, body.error.code ?? body.error.type, response.headers.get("retry-after")];
}
