// Why a host that something is fetched from could not be asked, and whether it is worth another try.
import { certificateTrouble } from "../base/certificate-trouble.ts";
import { CommandError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";

/** The runtime's code for what went wrong; some words when it has none. */
export function connectionCode(error: unknown): string {
  return printable(error instanceof Error && "code" in error ? String(error.code) : "no connection");
}

/** What no other try mends: a certificate that is not trusted, with the way out. Null: it is something else. */
export function distrust({ host }: URL, code: string): CommandError | null {
  const trouble = certificateTrouble(code);
  return trouble === null ? null : new CommandError(`the certificate of ${host} is not trusted (${code}); ${FIXES[trouble]}`);
}

const FIXES = {
  expired: "put the clock of this machine right, or wait until it is renewed there",
  misnamed: "whoever answers there is somebody else: see whether a proxy or a portal comes in between",
  untrusted: "NODE_EXTRA_CA_CERTS=PATH names one that vouches for it",
} as const;
