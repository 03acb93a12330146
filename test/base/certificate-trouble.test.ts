// Which codes of the runtime are about a certificate, and about what of it.
import { expect, test } from "bun:test";
import { certificateTrouble } from "../../src/base/certificate-trouble.ts";

test.each<[ReturnType<typeof certificateTrouble>, readonly string[]]>([
  ["expired", ["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"]],
  ["misnamed", ["ERR_TLS_CERT_ALTNAME_INVALID", "HOSTNAME_MISMATCH"]],
  [
    "untrusted",
    [
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      "UNABLE_TO_GET_ISSUER_CERT",
      "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
      "UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY",
      "UNABLE_TO_DECRYPT_CERT_SIGNATURE",
      "DEPTH_ZERO_SELF_SIGNED_CERT",
      "SELF_SIGNED_CERT_IN_CHAIN",
      "CERT_CHAIN_TOO_LONG",
      "CERT_REVOKED",
      "CRL_HAS_EXPIRED",
      "INVALID_CA",
      "INVALID_PURPOSE",
      "PATH_LENGTH_EXCEEDED",
    ],
  ],
  [null, ["ECONNREFUSED", "ECONNRESET", "ENOTFOUND", "EPROTO", "ETIMEDOUT", "ERR_SSL_WRONG_VERSION_NUMBER", "no connection"]],
])("[O15] [F7] codes of certificates are told from others: %p", (trouble, codes) => {
  expect(codes.map(certificateTrouble)).toEqual(codes.map(() => trouble));
});
