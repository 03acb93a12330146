// The relay's own certificate: read and checked at start, and again whenever its files change.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import type { Clock, Timer } from "../base/clock.ts";
import { UsageError } from "../base/errors.ts";
import { fileTrouble } from "../base/file-trouble.ts";
import type { Log } from "../base/log.ts";

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** PEM texts. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
}

/** How often the files are looked at; whoever renews certificates does so days ahead. */
const TLS_CHECK_INTERVAL_MS = 5_000;

/** @throws UsageError naming the file and what is wrong with it */
export function readTls({ certFile, keyFile }: TlsFiles): TlsMaterial {
  const cert = readText(certFile, "certificate (--tls-cert)");
  const key = readText(keyFile, "private key (--tls-key)");
  const leaf = parse(() => new X509Certificate(cert), `'${certFile}' holds no PEM certificate (--tls-cert)`);
  const privateKey = parse(() => createPrivateKey(key), `'${keyFile}' holds no PEM private key without a passphrase (--tls-key)`);
  if (!leaf.checkPrivateKey(privateKey))
    throw new UsageError(`the private key in '${keyFile}' does not belong to the certificate in '${certFile}'`);
  return { cert, key };
}

/** Calls `onChange` with each new usable pair. A pair that does not fit (one file is newer yet) is left alone until it does. */
export function watchTls(
  files: TlsFiles,
  world: { readonly clock: Clock; readonly log: Log },
  onChange: (tls: TlsMaterial) => void,
): Timer {
  let seen = stampOf(files);
  let timer = world.clock.startTimer(TLS_CHECK_INTERVAL_MS, check);
  return { stop: () => timer.stop() };

  function check(): void {
    timer = world.clock.startTimer(TLS_CHECK_INTERVAL_MS, check);
    const stamp = stampOf(files);
    if (stamp === seen) return;
    seen = stamp;
    try {
      onChange(readTls(files));
      world.log.info("certificate reloaded", { cert_file: files.certFile });
    } catch (error) {
      world.log.warn("certificate not reloaded, the old one stays", { cause: error instanceof Error ? error.message : String(error) });
    }
  }
}

function stampOf({ certFile, keyFile }: TlsFiles): string {
  return [certFile, keyFile].map((file) => fileStamp(file)).join("/");
}

function fileStamp(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? "none" : `${stat.mtimeMs}:${stat.size}:${stat.ino}`;
}

function readText(file: string, what: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`the ${what} '${file}' cannot be read (${fileTrouble(error)})`);
  }
}

function parse<Result>(read: () => Result, problem: string): Result {
  try {
    return read();
  } catch {
    throw new UsageError(problem);
  }
}
