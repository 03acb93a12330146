// Reads the certificates that `--tls-ca` names.
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { UsageError } from "../../base/errors.ts";

/** PEM text. @throws UsageError when the file cannot be read or holds something else */
export function readCertificates(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw new UsageError(`--tls-ca: the file ${path} cannot be read (${reason})`);
  }
  try {
    void new X509Certificate(text);
    return text;
  } catch {
    throw new UsageError(`--tls-ca: the file ${path} holds no PEM certificate`);
  }
}
