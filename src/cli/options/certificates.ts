// Reads the certificates that `--tls-ca` names.
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { UsageError } from "../../base/errors.ts";
import { fileTrouble } from "../../base/file-trouble.ts";

/** PEM text. @throws UsageError when the file cannot be read or holds something else */
export function readCertificates(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`--tls-ca: the file ${path} cannot be read (${fileTrouble(error)})`);
  }
  try {
    void new X509Certificate(text);
    return text;
  } catch {
    throw new UsageError(`--tls-ca: the file ${path} holds no PEM certificate`);
  }
}
