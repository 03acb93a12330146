// What the operators' API needs of the keys, whoever keeps them.
import type { ApiKey, KeyTerms } from "../store/api-key.ts";

/** Each function may reject with StoreUnavailable, whose reason is told to the operator. */
export interface AdminKeys {
  /** Resolves once the key is stored. */
  create(terms: KeyTerms): Promise<{ readonly key: ApiKey; readonly secret: string }>;
  /** Revoked and expired ones included. */
  list(): Promise<readonly ApiKey[]>;
  /** Resolves once the store has it; false: there is no such key. Revoking a key again changes nothing. */
  revoke(id: string): Promise<boolean>;
}
