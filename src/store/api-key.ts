// What an API key is: a random secret that only its owner has, and what the relay remembers of it instead.

/** What a key opens: the client routes, the worker socket, the operators' API. */
export type Scope = "infer" | "worker" | "admin";

export const SCOPES = ["infer", "worker", "admin"] as const satisfies readonly Scope[];

/** What an operator decides about a key when it is made. Null: no limit of that kind. */
export interface KeyTerms {
  readonly name: string;
  /** At least one. */
  readonly scopes: readonly Scope[];
  /** Globs such as "llama*"; see glob.ts. */
  readonly models: readonly string[] | null;
  /** Of a worker key: the only provider it may register for. */
  readonly provider: string | null;
  /** Of a worker key: the name its worker goes by, whatever it says itself. */
  readonly workerName: string | null;
  /** Of a worker key: the most slots its worker may offer. */
  readonly maxSlots: number | null;
  /** Requests of this key that may run at a time. */
  readonly maxConcurrent: number | null;
  readonly requestsPerMinute: number | null;
  /** Unix seconds, as every time of a key. */
  readonly expiresAt: number | null;
}

export interface ApiKey extends KeyTerms {
  /** A UUID. */
  readonly id: string;
  /** The first characters of the secret, by which its owner recognises the key. */
  readonly prefix: string;
  readonly createdAt: number;
  readonly lastUsedAt: number | null;
  readonly revokedAt: number | null;
}

/** A key as stores keep it. */
export interface StoredKey {
  readonly key: ApiKey;
  /** SHA-256 of the secret, 64 lower-case hex digits. */
  readonly digest: string;
}

/** The terms of a key of which nothing but the name is decided: all models, no limits. */
export function plainTerms(name: string, scopes: readonly Scope[] = ["infer"]): KeyTerms {
  const unlimited = { models: null, provider: null, workerName: null, maxSlots: null, maxConcurrent: null, requestsPerMinute: null };
  return { name, scopes, ...unlimited, expiresAt: null };
}

/** A new secret, to be shown once: 256 random bits in letters and digits, which a double click selects whole. */
export function makeSecret(): string {
  let secret = PREFIX;
  while (secret.length < PREFIX.length + RANDOM_CHARS) {
    for (const byte of crypto.getRandomValues(new Uint8Array(RANDOM_CHARS))) {
      // Bytes above the largest multiple of 62 would make some characters likelier than others.
      if (byte < UNBIASED_BELOW && secret.length < PREFIX.length + RANDOM_CHARS) secret += ALPHABET[byte % ALPHABET.length];
    }
  }
  return secret;
}

/** The digest by which a secret is stored and found. Its 256 random bits need no slow hash. */
export function digestOf(secret: string): string {
  return Bun.SHA256.hash(secret, "hex");
}

export function shownPrefix(secret: string): string {
  return secret.slice(0, SHOWN_CHARS);
}

/** Whether a text can be a key of this or an earlier installation; what cannot is not worth asking a store about. */
export function looksLikeKey(text: string): boolean {
  return text.length <= KEY_MAX_CHARS && /^(mr-[0-9A-Za-z]{43}|mr_live_[0-9A-Za-z]{32})$/.test(text);
}

const PREFIX = "mr-";
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
// 62^43 is just above 2^256.
const RANDOM_CHARS = 43;
const UNBIASED_BELOW = 256 - (256 % ALPHABET.length);
const SHOWN_CHARS = 10;
const KEY_MAX_CHARS = 46;
