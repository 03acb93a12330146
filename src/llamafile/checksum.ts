// SHA-256 of files that may be larger than memory.

/** Takes the first `bytes` of the file into the hash. @throws the signal's reason when it is aborted in the meantime */
export async function hashFile(path: string, bytes: number, hash: Bun.CryptoHasher, signal: AbortSignal): Promise<void> {
  if (bytes === 0) return;
  for await (const chunk of Bun.file(path).slice(0, bytes).stream()) {
    signal.throwIfAborted();
    hash.update(chunk);
  }
}

/** As 64 hexadecimal digits. @throws the signal's reason when it is aborted in the meantime */
export async function sha256OfFile(path: string, sizeBytes: number, signal: AbortSignal): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  await hashFile(path, sizeBytes, hash, signal);
  return hash.digest("hex");
}
