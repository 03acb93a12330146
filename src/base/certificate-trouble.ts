// What is wrong with a server's certificate, by the codes that the runtime gives its errors. Each kind is mended in its own way.

/**
 * 1. `expired`: it has run out, or is not valid yet
 * 2. `misnamed`: it is for another host
 * 3. `untrusted`: nobody here vouches for it, or it is not as a certificate has to be
 * 4. null: the code is of something else
 *
 * The codes are OpenSSL's X509_V_ERR_* without that beginning, and Node's ERR_TLS_CERT_ALTNAME_INVALID.
 */
export function certificateTrouble(code: string): "expired" | "misnamed" | "untrusted" | null {
  if (/^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/.test(code)) return "expired"; // (1)
  if (/ALTNAME|^HOSTNAME_MISMATCH$/.test(code)) return "misnamed"; // (2)
  return UNTRUSTED.test(code) ? "untrusted" : null; // (3) (4)
}

const UNTRUSTED = /CERT|CRL|ISSUER|LEAF_SIGNATURE|^(INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED)$/;
