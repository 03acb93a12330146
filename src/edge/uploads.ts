// The request bodies that are on their way in: a relay that shuts down refuses them all, rather than cut them off.
import { type RefusalCode, RelayError } from "../base/errors.ts";

type Refuse = (error: RelayError) => void;

export class Uploads {
  readonly #underWay = new Set<Refuse>();
  #refusal: RefusalCode | null = null;

  /** `refuse` is called at most once, at once where all are refused already. Call what is returned when the upload is over. */
  begin(refuse: Refuse): () => void {
    if (this.#refusal !== null) refuse(new RelayError(this.#refusal));
    this.#underWay.add(refuse);
    return () => void this.#underWay.delete(refuse);
  }

  /** Those under way and those to come. Returns how many were under way. */
  refuseAll(code: RefusalCode): number {
    this.#refusal = code;
    const { size } = this.#underWay;
    for (const refuse of this.#underWay) refuse(new RelayError(code));
    this.#underWay.clear();
    return size;
  }
}
