// Undoes a compression the backend was asked not to use: the relay forwards bytes without their encoding header.
import type { Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from "node:zlib";

/** A stream that undoes `encoding` (a `content-encoding` value), null when there is nothing to undo, "unknown" when we cannot. */
export function createDecompressor(encoding: string | undefined): Transform | null | "unknown" {
  switch ((encoding ?? "").trim().toLowerCase()) {
    case "":
    case "identity":
      return null;
    case "gzip":
    case "x-gzip":
      return createGunzip();
    case "deflate":
      return createInflate();
    case "br":
      return createBrotliDecompress();
    case "zstd":
      return createZstdDecompress();
    default:
      return "unknown";
  }
}
