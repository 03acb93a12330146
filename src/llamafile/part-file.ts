// A download that is not whole yet: the bytes in NAME.part, and beside them what is needed to go on with them.
import { closeSync, fsyncSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import * as v from "valibot";
import { readJsonFile, writeAtomically } from "./atomic-file.ts";

/** Which file on the server the bytes belong to. */
const Origin = v.object({
  url: v.string(),
  /** The strong ETag of who sent the bytes. */
  etag: v.nullable(v.string()),
  /** The checksum that the host told of the whole file. */
  sha256: v.nullable(v.string()),
});

export type PartOrigin = v.InferOutput<typeof Origin>;

export class PartFile {
  readonly path: string;
  readonly #note: string;

  constructor(target: string) {
    this.path = `${target}.part`;
    this.#note = `${target}.part.json`;
  }

  /** Bytes that are there; 0 when there are none. */
  get sizeBytes(): number {
    return statSync(this.path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Null when nothing is known of the bytes: then they cannot be gone on with. */
  get origin(): PartOrigin | null {
    try {
      return readJsonFile(this.#note, Origin);
    } catch {
      return null;
    }
  }

  /** Begins anew with bytes of this origin. */
  begin(origin: PartOrigin): PartWriter {
    this.remove();
    writeAtomically(this.#note, `${JSON.stringify(origin)}\n`);
    return new PartWriter(this.path, "w");
  }

  goOn(): PartWriter {
    return new PartWriter(this.path, "a");
  }

  remove(): void {
    rmSync(this.path, { force: true });
    rmSync(this.#note, { force: true });
  }

  /** Once the bytes have become the file itself. */
  forget(): void {
    rmSync(this.#note, { force: true });
  }
}

/** Writes are over when they return, so memory holds no more than one chunk. */
export class PartWriter implements Disposable {
  readonly #file: number;

  constructor(path: string, flags: "w" | "a") {
    this.#file = openSync(path, flags, 0o600);
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
  }

  /** To the disk itself: a rename must not be there before the bytes are. */
  flush(): void {
    fsyncSync(this.#file);
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}
