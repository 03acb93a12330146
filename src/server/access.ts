// The relay's credentials in one place: who is an operator, who is a client, who is a worker.
import type { Clock } from "../base/clock.ts";
import { RelayError } from "../base/errors.ts";
import { FailureBudget } from "../base/failure-budget.ts";
import type { Log } from "../base/log.ts";
import { createSecretMatcher } from "../base/secret.ts";
import { Admission } from "../edge/admission.ts";
import { credentialOf } from "../edge/credential.ts";
import { createAuthenticator, type WorkerAuthenticator } from "../link/authenticate.ts";
import type { KeyRing } from "../store/key-ring.ts";
import type { ServeConfig } from "./config.ts";

export interface Access {
  readonly admission: Admission;
  readonly authenticateWorker: WorkerAuthenticator;
  /** Does this request come from an operator? @throws RelayError auth_rate_limited */
  readonly isOperator: (headers: Headers, address: () => string) => Promise<boolean>;
}

/** `keys` null: this relay keeps no keys, only its own secrets. */
export function createAccess(config: ServeConfig, keys: KeyRing | null, world: { readonly clock: Clock; readonly log: Log }): Access {
  const { workerSecret, adminToken, provider, requireApiKeys } = config;
  const { clock, log } = world;
  const failures = new FailureBudget(clock);
  const isOwnSecret = createSecretMatcher(adminToken === null ? [workerSecret] : [workerSecret, adminToken]);
  const isAdminToken = createSecretMatcher(adminToken === null ? [] : [adminToken]);

  /** 1. the admin token, or a good key with the admin scope  2. nothing sent  3. too many wrong ones  4. wrong */
  async function isOperator(headers: Headers, address: () => string): Promise<boolean> {
    // Without a token there is no admin API, not even for keys: that is how an operator switches it off.
    if (adminToken === null) return false;
    const credential = credentialOf(headers);
    if (credential === null) return false; // (2)
    if (isAdminToken(credential)) return true; // (1)
    const known = keys?.peek(credential) ?? null;
    const isGood = known?.kind === "key" && known.key.scopes.includes("admin");
    if (isGood) return true; // (1)
    if (failures.isSpent(address())) throw new RelayError("auth_rate_limited"); // (3)
    const verdict = known ?? (await keys?.authenticate(credential)) ?? { kind: "unknown" };
    if (verdict.kind === "key" && verdict.key.scopes.includes("admin")) return true;
    if (verdict.kind === "unavailable") throw new RelayError("store_unavailable");
    failures.onFailure(address()); // (4)
    return false;
  }

  return {
    admission: new Admission({ keys, isKeyRequired: requireApiKeys, provider, isOwnSecret, failures, clock }),
    authenticateWorker: createAuthenticator({ workerSecret, provider, keys, failures, log }),
    isOperator,
  };
}
