// A store in memory that fails and stalls when a test says so, and counts what it is asked.
import type { StoredKey } from "../../src/store/api-key.ts";
import { type KeyStore, StoreUnavailable } from "../../src/store/key-store.ts";

type Question = Exclude<keyof KeyStore, "close">;

export class FakeStore implements KeyStore {
  readonly rows = new Map<string, StoredKey>();
  readonly asked: Question[] = [];
  /** These reject. */
  readonly failing = new Set<Question>();
  #changes = 0;
  #held = new Map<Question, (() => void)[]>();

  /** How often this was asked. */
  times(question: Question): number {
    return this.asked.filter((one) => one === question).length;
  }

  /** From now on these do their work, but answer only when they are released. */
  hold(...questions: readonly Question[]): void {
    for (const question of questions) if (!this.#held.has(question)) this.#held.set(question, []);
  }

  /** Answers given by now and not yet told. */
  heldBack(question: Question): number {
    return this.#held.get(question)?.length ?? 0;
  }

  release(...questions: readonly Question[]): void {
    for (const question of questions) {
      const waiting = this.#held.get(question) ?? [];
      this.#held.delete(question);
      for (const go of waiting) go();
    }
  }

  /** What an operator does by hand, or another relay. */
  change(id: string, row: StoredKey | null): void {
    if (row === null) this.rows.delete(id);
    else this.rows.set(id, row);
    this.#changes++;
  }

  readonly insert = (stored: StoredKey): Promise<void> => this.#answer("insert", () => this.change(stored.key.id, stored));

  readonly list = (): Promise<readonly StoredKey[]> => this.#answer("list", () => [...this.rows.values()]);

  readonly version = (): Promise<string> => this.#answer("version", () => String(this.#changes));

  readonly findByDigest = (digest: string): Promise<StoredKey | null> =>
    this.#answer("findByDigest", () => [...this.rows.values()].find((row) => row.digest === digest) ?? null);

  readonly revoke = (id: string, at: number): Promise<boolean> =>
    this.#answer("revoke", () => {
      const row = this.rows.get(id);
      if (row !== undefined) this.change(id, { ...row, key: { ...row.key, revokedAt: row.key.revokedAt ?? at } });
      return row !== undefined;
    });

  readonly touch = (uses: ReadonlyMap<string, number>): Promise<void> =>
    this.#answer("touch", () => {
      for (const [id, at] of uses) {
        const row = this.rows.get(id);
        if (row !== undefined) this.rows.set(id, { ...row, key: { ...row.key, lastUsedAt: Math.max(row.key.lastUsedAt ?? 0, at) } });
      }
    });

  readonly close = async (): Promise<void> => {};

  async #answer<Result>(question: Question, work: () => Result): Promise<Result> {
    this.asked.push(question);
    if (this.failing.has(question)) throw new StoreUnavailable("The test says so.");
    const result = work();
    const waiting = this.#held.get(question);
    if (waiting !== undefined) await new Promise<void>((resolve) => waiting.push(resolve));
    return result;
  }
}
