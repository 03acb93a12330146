// Certificates for tests, made by openssl in a directory of their own: a CA, and what it signs for this machine.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Certificates extends Disposable {
  /** The CA's certificate. */
  readonly caFile: string;
  readonly ca: string;
  /** A file in the same directory. */
  at(name: string): string;
  /** A certificate and key for localhost and 127.0.0.1, signed by the CA, as NAME.crt and NAME.key. */
  issue(name: string, terms?: Terms): { readonly certFile: string; readonly keyFile: string };
}

interface Terms {
  readonly altNames?: string;
  /** Negative: it has expired. */
  readonly days?: number;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

export function makeCertificates(): Certificates {
  const path = mkdtempSync(join(tmpdir(), "modelrelay-tls-"));
  const at = (name: string): string => join(path, name);
  openssl("req", "-x509", ...NEW_KEY, "-keyout", at("ca.key"), "-out", at("ca.crt"), "-days", "2", "-subj", "/CN=the CA of this test");
  return {
    caFile: at("ca.crt"),
    ca: readFileSync(at("ca.crt"), "utf8"),
    at,
    issue(name, { altNames = "DNS:localhost,IP:127.0.0.1", days = 2 } = {}) {
      const [keyFile, request, certFile] = [at(`${name}.key`), at(`${name}.csr`), at(`${name}.crt`)];
      writeFileSync(at(`${name}.ext`), `subjectAltName=${altNames}\n`);
      openssl("req", ...NEW_KEY, "-keyout", keyFile, "-out", request, "-subj", `/CN=${name}`);
      const signer = ["-CA", at("ca.crt"), "-CAkey", at("ca.key"), "-CAcreateserial"];
      openssl("x509", "-req", "-in", request, ...signer, "-days", String(days), "-extfile", at(`${name}.ext`), "-out", certFile);
      return { certFile, keyFile };
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

function openssl(...args: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args], { stderr: "pipe", stdout: "ignore" });
  if (exitCode !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr.toString()}`);
}
