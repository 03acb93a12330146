// Who may connect as a worker: the shared secret and the right provider, and never a web page.
import type { Log } from "../base/log.ts";
import { createSecretMatcher } from "../base/secret.ts";
import type { PeerClaims } from "./wire.ts";

export interface WorkerAdmission {
  readonly workerSecret: string;
  /** The one provider this relay serves. */
  readonly provider: string;
  readonly log: Log;
}

/** Judges an upgrade request. The header wins over the query parameter, which only the oldest workers use. */
export function createAuthenticator(admission: WorkerAdmission): (request: Request, address: string) => PeerClaims {
  const isSecret = createSecretMatcher([admission.workerSecret]);
  return (request, address) => {
    const query = new URL(request.url, "http://relay").searchParams;
    const provider = query.get("provider") ?? "local";
    const inQuery = query.get("worker_secret");
    const secret = request.headers.get("x-worker-secret") ?? inQuery;
    if (inQuery !== null) admission.log.warn("worker secret sent in the URL", { address, provider });
    const rejection = rejectionOf(secret, provider);
    return { isAuthenticated: rejection === null, rejection, provider: provider.slice(0, PROVIDER_SHOWN_CHARS), address };
  };

  /** 1. no secret  2. a wrong one  3. not a provider of ours */
  function rejectionOf(secret: string | null, provider: string): string | null {
    if (secret === null || secret === "") return "no worker secret was sent"; // (1)
    if (!isSecret(secret)) return "the worker secret is wrong"; // (2)
    if (provider !== admission.provider) return `the provider is not '${admission.provider}', the one this relay serves (--provider)`; // (3)
    return null;
  }
}

const PROVIDER_SHOWN_CHARS = 64;
