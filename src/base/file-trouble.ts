// Why a file could not be used, in words and with the system's own code.

/** As in `no such file, ENOENT`. */
export function fileTrouble(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  const words = WORDS.get(code);
  return words === undefined ? code : `${words}, ${code}`;
}

const WORDS: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "no such file or directory"],
  ["ENOTDIR", "a part of the path is no directory"],
  ["EISDIR", "it is a directory"],
  ["EACCES", "this user may not"],
  ["EPERM", "this user may not"],
  ["EROFS", "the file system is read-only"],
  ["ENOSPC", "the disk is full"],
]);
