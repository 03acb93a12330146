// How many bytes of request bodies the relay holds at once, uploads in progress included.

/** All bodies together; a relay out of memory serves nobody. */
export const BODIES_MAX_BYTES = 512 * 1024 * 1024;

export class ByteBudget {
  readonly #maxBytes: number;
  #heldBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Null when there is no room. */
  reserve(bytes: number): Reservation | null {
    const reservation = new Reservation((change) => this.#change(change));
    return reservation.grow(bytes) ? reservation : null;
  }

  #change(bytes: number): boolean {
    if (bytes > 0 && this.#heldBytes + bytes > this.#maxBytes) return false;
    this.#heldBytes += bytes;
    return true;
  }
}

/** Bytes held for one request; given back once. */
export class Reservation {
  readonly #change: (bytes: number) => boolean;
  #bytes = 0;

  constructor(change: (bytes: number) => boolean) {
    this.#change = change;
  }

  /** False when there is no room for `bytes` more; what was held stays held. */
  grow(bytes: number): boolean {
    if (!this.#change(bytes)) return false;
    this.#bytes += bytes;
    return true;
  }

  release(): void {
    this.#change(-this.#bytes);
    this.#bytes = 0;
  }
}
