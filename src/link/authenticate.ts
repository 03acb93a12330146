// Who may connect as a worker: the shared secret or a worker key, and the right provider.
import type { FailureBudget } from "../base/failure-budget.ts";
import type { Log } from "../base/log.ts";
import { createSecretMatcher } from "../base/secret.ts";
import type { ApiKey } from "../store/api-key.ts";
import type { KeyVerdict } from "../store/key-ring.ts";

/** What the upgrade request showed. */
export interface PeerClaims {
  readonly provider: string;
  readonly address: string;
  readonly verdict: PeerVerdict;
}

export type PeerVerdict =
  /** `key` null: it has the shared secret. */
  | { readonly kind: "worker"; readonly key: ApiKey | null }
  | { readonly kind: "rejected"; readonly cause: string }
  | { readonly kind: "rate-limited" };

export type WorkerAuthenticator = (request: Request, address: string) => Promise<PeerClaims>;

export interface WorkerKeys {
  peek(secret: string): KeyVerdict | null;
  authenticate(secret: string): Promise<KeyVerdict>;
}

export interface WorkerAdmission {
  readonly workerSecret: string;
  /** The one provider this relay serves. */
  readonly provider: string;
  /** Null: this relay keeps no keys. */
  readonly keys: WorkerKeys | null;
  readonly failures: FailureBudget;
  readonly log: Log;
}

/** Judges an upgrade request. The header wins over the query parameter, which only the oldest workers use. */
export function createAuthenticator(admission: WorkerAdmission): WorkerAuthenticator {
  const isSharedSecret = createSecretMatcher([admission.workerSecret]);
  const { keys, failures, log } = admission;

  return async (request, address) => {
    const query = new URL(request.url, "http://relay").searchParams;
    const provider = query.get("provider") ?? "local";
    const inQuery = query.get("worker_secret");
    const secret = request.headers.get("x-worker-secret") ?? inQuery;
    if (inQuery !== null) log.warn("worker secret sent in the URL", { address, provider: shown(provider) });
    const verdict = await judge(secret, provider, address);
    if (verdict.kind === "rejected") failures.onFailure(address);
    return { provider: shown(provider), address, verdict };
  };

  /** 1. no secret  2. the shared one  3. a good worker key  4. too many wrong ones  5. wrong; in (2) and (3) the provider must fit */
  async function judge(secret: string | null, provider: string, address: string): Promise<PeerVerdict> {
    if (secret === null || secret === "") return rejected("no worker secret was sent"); // (1)
    if (isSharedSecret(secret)) return ofProvider(provider, null); // (2)
    const known = keys?.peek(secret) ?? null;
    if (known?.kind === "key") return ofKey(known.key, provider); // (3)
    if (failures.isSpent(address)) return { kind: "rate-limited" }; // (4)
    const verdict = known ?? (await keys?.authenticate(secret)) ?? { kind: "unknown" };
    if (verdict.kind === "key") return ofKey(verdict.key, provider); // (3)
    return rejected(REASONS[verdict.kind]); // (5)
  }

  function ofKey(key: ApiKey, provider: string): PeerVerdict {
    if (!key.scopes.includes("worker")) return rejected("the key is not a worker key (scope 'worker')");
    if (key.provider !== null && key.provider !== provider) return rejected("the key is for another provider");
    return ofProvider(provider, key);
  }

  function ofProvider(provider: string, key: ApiKey | null): PeerVerdict {
    if (provider === admission.provider) return { kind: "worker", key };
    return rejected(`the provider is not '${admission.provider}', the one this relay serves (--provider)`);
  }
}

const REASONS = {
  unknown: "the worker secret is wrong",
  revoked: "the worker key is revoked",
  expired: "the worker key has expired",
  unavailable: "the key store cannot say whether this is a key",
} as const;

function rejected(cause: string): PeerVerdict {
  return { kind: "rejected", cause };
}

const PROVIDER_SHOWN_CHARS = 64;

function shown(provider: string): string {
  return provider.slice(0, PROVIDER_SHOWN_CHARS);
}
