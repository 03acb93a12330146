// Who a request comes from, and what that caller may have: keys, their models and their rates.
import type { Clock } from "../base/clock.ts";
import { RelayError } from "../base/errors.ts";
import type { FailureBudget } from "../base/failure-budget.ts";
import { ANONYMOUS } from "../hub/handles.ts";
import { type ApiKey, looksLikeKey } from "../store/api-key.ts";
import { allowsModel } from "../store/glob.ts";
import type { KeyVerdict } from "../store/key-ring.ts";
import { credentialOf } from "./credential.ts";
import { RateLimit } from "./rate-limit.ts";

/** What admission asks of the keys, whoever keeps them. */
export interface KeyJudge {
  /** What is known without waiting, else null. */
  peek(secret: string): KeyVerdict | null;
  authenticate(secret: string): Promise<KeyVerdict>;
}

export interface AdmissionWorld {
  /** Null: this relay keeps no keys. */
  readonly keys: KeyJudge | null;
  readonly isKeyRequired: boolean;
  /** The one provider this relay serves. */
  readonly provider: string;
  /** The worker secret and the admin token. */
  readonly isOwnSecret: (value: string) => boolean;
  readonly failures: FailureBudget;
  readonly clock: Clock;
}

export interface Caller {
  /** Whose turn it takes in the queue. */
  readonly id: string;
  /** Null: anybody. */
  readonly key: ApiKey | null;
}

const ANYBODY: Caller = { id: ANONYMOUS, key: null };

export class Admission {
  readonly #world: AdmissionWorld;
  readonly #rates: RateLimit;

  constructor(world: AdmissionWorld) {
    this.#world = world;
    this.#rates = new RateLimit(world.clock);
  }

  /** @throws RelayError invalid_api_key, scope_not_allowed, auth_rate_limited, store_unavailable */
  async admit(headers: Headers, address: () => string): Promise<Caller> {
    const { keys, isKeyRequired } = this.#world;
    const credential = credentialOf(headers);
    if (keys === null) return ANYBODY;
    if (credential === null) {
      if (isKeyRequired) throw new RelayError("invalid_api_key");
      return ANYBODY;
    }
    return this.#judge(keys.peek(credential) ?? (await this.#ask(keys, credential, address)), credential, address);
  }

  /** @throws RelayError model_not_allowed */
  checkModel({ key }: Caller, model: string): void {
    if (key !== null && !allowsModel(key.models, model)) throw new RelayError("model_not_allowed");
  }

  mayUse({ key }: Caller, model: string): boolean {
    return key === null || allowsModel(key.models, model);
  }

  /** Counts a request against its key's rate. @throws RelayError key_limit with the time to wait */
  countRequest({ key }: Caller): void {
    if (key === null || key.requestsPerMinute === null) return;
    const waitSecs = this.#rates.take(key.id, key.requestsPerMinute);
    if (waitSecs > 0) throw new RelayError("key_limit", `It allows ${key.requestsPerMinute} requests per minute.`, waitSecs);
  }

  /** A credential that must not travel on to a backend. Where keys are required, whatever was sent was meant for us. */
  isOurs(value: string): boolean {
    const { keys, isKeyRequired, isOwnSecret } = this.#world;
    if (isKeyRequired || isOwnSecret(value) || looksLikeKey(value)) return true;
    const verdict = keys?.peek(value);
    return verdict !== undefined && verdict !== null && verdict.kind !== "unknown";
  }

  /** Somebody who has guessed too often is not let near the store; one with a good key never gets here. */
  async #ask(keys: KeyJudge, credential: string, address: () => string): Promise<KeyVerdict> {
    if (this.#world.isKeyRequired && this.#world.failures.isSpent(address())) throw new RelayError("auth_rate_limited");
    return keys.authenticate(credential);
  }

  /**
   * 1. a key for inference: it is the caller          2. a key for something else: refused
   * 3. the store cannot say: refused where a key is needed, or where this would be one
   * 4. revoked or expired: refused, needed or not     5. unknown: refused where a key is needed
   */
  #judge(verdict: KeyVerdict, credential: string, address: () => string): Caller {
    const { isKeyRequired, failures, provider } = this.#world;
    switch (verdict.kind) {
      case "key": {
        const { key } = verdict;
        if (!key.scopes.includes("infer")) throw new RelayError("scope_not_allowed", "It is not for inference."); // (2)
        if (key.provider !== null && key.provider !== provider) throw new RelayError("scope_not_allowed", "It is for another provider.");
        return { id: key.id, key }; // (1)
      }
      case "unavailable": // (3)
        if (isKeyRequired || looksLikeKey(credential)) throw new RelayError("store_unavailable");
        return ANYBODY;
      case "revoked":
      case "expired": // (4)
        throw this.#rejection(address);
      case "unknown": // (5)
        if (!isKeyRequired) return ANYBODY;
        if (failures.isSpent(address())) throw new RelayError("auth_rate_limited");
        throw this.#rejection(address);
    }
  }

  #rejection(address: () => string): RelayError {
    this.#world.failures.onFailure(address());
    return new RelayError("invalid_api_key");
  }
}
